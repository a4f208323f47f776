from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from staging.local.aurora import FailoverRefusedError
from tests.staging.local.aurora.clients import Staged, eventually, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local
WHO = "SELECT aurora_db_instance_identifier()"


def failover_messages(old: str, new: str) -> list[tuple[str, str]]:
    return [
        ("ledger", f"Started cross AZ failover to DB instance: {new}"),
        ("ledger", f"Completed failover to DB instance: {new}"),
        (old, "A new writer was promoted. Restarting database as a reader."),
        (old, "DB instance restarted"),
    ]


def test_a_new_cluster_is_whole_and_leaves_no_process_behind(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        assert staged.whole(writer="ledger-1")
        assert await staged.ask("ledger-writer", WHO) == "ledger-1"
        await eventually(lambda: len(set(staged.endpoints.led_to.values())) == 2)
        assert await staged.ask("ledger-reader", WHO) == "ledger-2"
        settings = await staged.aurora.execute(
            "SELECT name, setting FROM pg_settings WHERE name IN"
            " ('fsync', 'data_checksums', 'synchronous_commit', 'track_commit_timestamp')"
        )
        assert {row["setting"] for row in settings} == {"on"}

    run(place, deed)

    cwds = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
    assert [cwd for cwd in cwds if cwd.startswith(str(place))] == []


def test_a_crashed_writer_is_replaced_and_comes_back_as_reader(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")
            await staged.some_more_writes()
            await eventually(lambda: staged.whole(writer="ledger-2"))
            await staged.some_more_writes()
        assert await staged.lost() == set()
        assert await staged.ask("ledger-writer", WHO) == "ledger-2"
        assert staged.messages == failover_messages("ledger-1", "ledger-2")

    run(place, deed)


def test_a_requested_failover_there_and_back_loses_nothing(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            for old, new in [("ledger-1", "ledger-2"), ("ledger-2", "ledger-1")]:
                await staged.some_more_writes()
                await staged.aurora.failover(new)
                assert staged.roles == {new: "writer", old: "reader"}
                await staged.some_more_writes()
                await eventually(lambda new=new: staged.whole(writer=new))  # type: ignore[misc]
        assert await staged.lost() == set()
        assert staged.messages == [
            *failover_messages("ledger-1", "ledger-2"),
            *failover_messages("ledger-2", "ledger-1"),
        ]

    run(place, deed)


def test_a_writer_in_a_dark_zone_is_replaced_and_comes_back_with_the_light(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            staged.network.darken(frozenset({"data-a"}))
            await staged.some_more_writes()
            await eventually(lambda: staged.aurora.describe().members[1].status == "unreachable")
            assert staged.roles == {"ledger-2": "writer", "ledger-1": "reader"}
            staged.network.darken(frozenset())
            await eventually(lambda: staged.whole(writer="ledger-2"))
        assert await staged.lost() == set()

    run(place, deed)


def test_a_failover_that_makes_no_sense_or_would_lose_writes_is_refused(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        with pytest.raises(FailoverRefusedError, match="ledger-9 is no member"):
            await staged.aurora.failover("ledger-9")
        with pytest.raises(FailoverRefusedError, match="ledger-1 is the writer"):
            await staged.aurora.failover("ledger-1")
        await staged.aurora.crash("ledger-2")
        with pytest.raises(FailoverRefusedError, match="ledger-2 is not in sync"):
            await staged.aurora.failover(None)
        assert staged.roles == {"ledger-1": "writer", "ledger-2": "reader"}

    run(place, deed)
