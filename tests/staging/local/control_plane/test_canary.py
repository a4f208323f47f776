"""The canary asks as a customer would, and its alarm lies where it can still be heard."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.base_backend import BackendDict

from staging.local.control_plane.canary import Canary
from staging.local.control_plane.cloudwatch import CloudWatch
from staging.local.control_plane.seed import seed
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.platform import Platform

PERIOD_S, LOOKS = 0.4, 3
END_S = 1_800_000_000.0


@pytest.fixture
def platform() -> Iterator[Platform]:
    BackendDict.reset()
    yield seed(
        timings=FAST, desired_count=2, service_subnets=["app-a"], user="bank", owner="owner",
        password="long enough", owner_password="long enough",  # noqa: S106 - of a database that does not exist
    )  # fmt: skip
    BackendDict.reset()


@pytest.mark.parametrize(
    ("says", "answered"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Busy\r\n\r\n", False),
        (b"what?\r\n", False),
        (b"", False),
        (None, False),
    ],
    ids=["well", "an error", "nonsense", "hung up", "silent"],
)
def test_only_a_good_answer_in_time_counts(says: bytes | None, *, answered: bool) -> None:
    assert asyncio.run(looks_at(says)) == [answered] * LOOKS


def test_nobody_there_is_no_answer() -> None:
    assert asyncio.run(looks_of("http://127.0.0.1:1")) == [False] * LOOKS


async def looks_at(says: bytes | None) -> list[bool]:
    """Let a bank answer everybody so; return what the canary saw."""

    answering: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.current_task())
        with suppress(OSError, asyncio.IncompleteReadError):  # the canary may have left
            await reader.readuntil(b"\r\n\r\n")
            if says is None:
                await reader.read()  # until the canary hangs up
            else:
                writer.write(says)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    looks = await looks_of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    await asyncio.gather(*filter(None, answering))
    return looks


async def looks_of(url: str) -> list[bool]:
    """Return what a canary saw the first few times."""
    looks: asyncio.Queue[bool] = asyncio.Queue()
    running = asyncio.create_task(Canary(url, PERIOD_S, looks.put_nowait).run())
    async with asyncio.timeout(10):
        seen = [await looks.get() for _ in range(LOOKS)]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return seen


class Quiet:
    """A load balancer that nothing passes."""


def states(aws: Callable[..., Any]) -> dict[str, Counter[str]]:
    """How many alarms of each region are in which state."""
    return {
        region: Counter(a["StateValue"] for a in aws("cloudwatch", region).describe_alarms()["MetricAlarms"])
        for region in ("us-east-1", "us-west-2")
    }


def test_its_alarm_goes_off_where_it_can_be_heard_while_those_of_the_lost_region_say_nothing(
    front: Front, aws: Callable[..., Any], platform: Platform
) -> None:
    lost: set[str] = set()
    watch = CloudWatch(platform, Quiet(), FAST, lambda: True, lost=lost.__contains__)  # type: ignore[arg-type]
    watch.register(front)
    for second in range(3):
        watch.canary(answered=True)
        end_of_period(watch, second)
    before = states(aws)
    lost.add("us-east-1")
    for second in range(3, 7):
        watch.canary(answered=False)
        end_of_period(watch, second)

    assert before["us-west-2"] == {"OK": 1}
    assert states(aws) == {"us-east-1": before["us-east-1"], "us-west-2": {"ALARM": 1}}
    assert names_of_changes(aws, "us-west-2") == ["bank-unreachable", "bank-unreachable"]
    assert "bank-unreachable" not in names_of_changes(aws, "us-east-1")


def end_of_period(watch: CloudWatch, second: int) -> None:
    watch._publish(END_S + second - 1)
    watch._judge_all(END_S + second)


def names_of_changes(aws: Callable[..., Any], region: str) -> list[str]:
    items = aws("cloudwatch", region).describe_alarm_history(HistoryItemType="StateUpdate")[
        "AlarmHistoryItems"
    ]
    return [item["AlarmName"] for item in items]
