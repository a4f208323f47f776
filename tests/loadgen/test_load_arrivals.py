"""The schedule keeps its rate, repeats with its seed, and looks at no clock."""

from __future__ import annotations

import itertools

import pytest

from loadgen.arrivals import Schedule, due_times
from loadgen.users import stream

S = 1_000_000_000


def first(schedule: Schedule, *, rate: float, seconds: float, seed: int = 1, start_ns: int = 0) -> list[int]:
    due = due_times(schedule, rate=rate, start_ns=start_ns, random=stream(seed, "test"))
    return list(itertools.takewhile(lambda at: at < start_ns + seconds * S, due))


@pytest.mark.parametrize("schedule", Schedule)
def test_the_same_seed_repeats_it_and_another_does_not(schedule: Schedule) -> None:
    assert first(schedule, rate=50, seconds=4) == first(schedule, rate=50, seconds=4)
    assert first(schedule, rate=50, seconds=4) != first(schedule, rate=50, seconds=4, seed=2)


@pytest.mark.parametrize("schedule", Schedule)
def test_it_is_in_order_and_starts_when_told(schedule: Schedule) -> None:
    due = first(schedule, rate=50, seconds=4, start_ns=7 * S)

    assert due == sorted(due)
    assert 7 * S <= due[0] < 8 * S


@pytest.mark.parametrize("schedule", [Schedule.STRATIFIED, Schedule.CONSTANT])
def test_regular_schedules_put_exactly_one_arrival_into_each_slot(schedule: Schedule) -> None:
    due = first(schedule, rate=1000, seconds=60)

    assert [at // 1_000_000 for at in due] == list(range(60_000))


def test_stratified_arrivals_do_not_beat_and_constant_ones_do() -> None:
    gaps = {
        schedule: {b - a for a, b in itertools.pairwise(first(schedule, rate=100, seconds=5))}
        for schedule in Schedule
    }

    assert len(gaps[Schedule.STRATIFIED]) > 400
    assert max(gaps[Schedule.CONSTANT]) - min(gaps[Schedule.CONSTANT]) <= 1  # nanosecond, of rounding


def test_poisson_arrivals_vary_like_their_mean() -> None:
    due = first(Schedule.POISSON, rate=100, seconds=200)
    per_second = [sum(1 for at in due if at // S == second) for second in range(200)]
    mean = sum(per_second) / 200
    variance = sum((count - mean) ** 2 for count in per_second) / 199

    assert mean == pytest.approx(100, rel=0.05)
    assert variance == pytest.approx(mean, rel=0.35)
