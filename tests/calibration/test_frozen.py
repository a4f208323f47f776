"""The truth about a target that froze: who asked late enough to be answered in time."""

from __future__ import annotations

import asyncio

import pytest

from calibration.frozen import Answered, Frozen, good_again
from tests.histories import MS, S

ELSE = (7, 8)
WOKE = 10 * S


def held(came_ms: list[int], batch_ms: float = 0.1) -> list[Answered]:
    """Requests that came so long before it woke up, answered one after the other."""
    step = int(batch_ms * MS)
    return [
        Answered(came_ns=WOKE - ms * MS, from_ns=WOKE + n * step, until_ns=WOKE + (n + 1) * step)
        for n, ms in enumerate(came_ms)
    ]


def test_back_is_who_asks_200_ms_before_the_answer() -> None:
    late, (low_ns, high_ns) = good_again(held([900, 500, 201, 190, 10]), ELSE)

    assert late == 3
    assert low_ns <= WOKE - 200 * MS + 300_000 <= high_ns
    assert high_ns - low_ns < MS


def test_answers_that_take_long_to_send_make_later_ones_late_too() -> None:
    # 45 ms each: the fourth, who asked 190 ms before, is answered 325 ms after that, the fifth after 190 ms
    late, (low_ns, high_ns) = good_again(held([900, 500, 201, 190, 10], batch_ms=45), ELSE)

    assert late == 4
    assert WOKE - 100 * MS < low_ns <= high_ns < WOKE


@pytest.mark.parametrize("came_ms", [[], [150, 100, 10]])
def test_when_nobody_was_late_the_caller_decides(came_ms: list[int]) -> None:
    assert good_again(held(came_ms), ELSE) == (0, ELSE)


def test_all_who_wait_are_answered_in_order() -> None:
    async def freeze() -> tuple[list[int], list[Answered]]:
        frozen, told = Frozen(), list[int]()
        for n in range(25):
            frozen.hold(lambda n=n: told.append(n))  # type: ignore[misc]
        return told, await frozen.thaw()

    told, answered = asyncio.run(freeze())

    assert told == list(range(25))
    assert len(answered) == 25
    assert all(one.came_ns <= one.from_ns <= one.until_ns for one in answered)
