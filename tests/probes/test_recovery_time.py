"""The recovery-time estimator against outages whose length is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from blackstart.drills import hold_s
from blackstart.history import History, Requests
from blackstart.verdict import Measurement, Verdict, judge
from objectives import AURORA_RTO
from probes.recovery_time import recovery_time
from tests.histories import MS, Load, S, Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Outage:
    kind: str
    rate: float
    seed: int
    injected_at: float
    injecting: float
    broken_at: float
    seconds: float

    @property
    def held_at(self) -> float:
        return self.broken_at + self.seconds


def some_outage(kind: str, rate: float, seed: int) -> Outage:
    random = np.random.default_rng(seed)
    injected_at, injecting = 2 + random.random(), 0.3 * random.random()
    broken_at = injected_at + injecting * random.random()
    seconds = random.uniform(0.5, 3)
    return Outage(
        kind=kind, rate=rate, seed=seed, injected_at=injected_at, injecting=injecting,
        broken_at=broken_at, seconds=seconds,
    )  # fmt: skip


def broken_load(outage: Outage, seconds: float) -> Load:
    load = steady_load(outage.rate, seconds, outage.seed)
    hit = (load.start_ns >= ns(outage.broken_at)) & (load.start_ns < ns(outage.held_at))
    if outage.kind == "every third fails":
        hit &= np.random.default_rng(outage.seed).random(len(hit)) < 1 / 3
    extra = {"hangs": 2 * S, "slow": 500 * MS}.get(outage.kind, 0)
    ok = load.ok if outage.kind == "slow" else load.ok & ~hit
    return replace(load, ok=ok, end_ns=load.end_ns + hit * extra)


def stalled(load: Load, from_at: float, until_at: float) -> Load:
    """The generator stands still: it sends nothing, and reads no answer, until the end of the stall."""
    from_ns, until_ns = ns(from_at), ns(until_at)
    held_up = (load.start_ns >= from_ns) & (load.start_ns < until_ns)
    unread = (load.end_ns >= from_ns) & (load.end_ns < until_ns)
    start = np.where(held_up, until_ns + MS, load.start_ns)
    end = np.maximum(np.where(unread, until_ns + 2 * MS, load.end_ns), start + MS)
    return replace(load, start_ns=start, end_ns=end)


def told(folder: Path, outage: Outage, load: Load, healed_at: float) -> History:
    story = load.into(Story(folder, rate=outage.rate)).fault(outage.injected_at, outage.injecting)
    return story.healed(healed_at).tell()


def measured(folder: Path, outage: Outage, stall: tuple[float, float] | None = None) -> Measurement:
    healed_at = outage.held_at + hold_s(outage.rate) + 1
    load = broken_load(outage, healed_at + 1)
    if stall:
        load = stalled(load, outage.held_at + stall[0], outage.held_at + stall[1])
    return recovery_time(told(folder, outage, load, healed_at))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [1000.0, 100.0])
@pytest.mark.parametrize("kind", ["fails at once", "hangs", "slow", "every third fails"])
def test_the_truth_lies_in_the_interval(tmp_path: Path, kind: str, rate: float, seed: int) -> None:
    outage = some_outage(kind, rate, seed)

    interval = measured(tmp_path, outage)

    assert interval.low <= outage.seconds <= interval.high
    # a few arrivals wide, one in three of which tells anything; and as wide as the injection was long
    assert interval.high - interval.low - outage.injecting < 60 / rate + 0.01


@pytest.mark.parametrize("kind", ["fails at once", "hangs"])
@pytest.mark.parametrize("stall", [(-0.3, 0.3), (0.5, 0.7), (-0.1, -0.05), (0.01, 0.04)])
def test_a_stalled_generator_widens_the_interval(
    tmp_path: Path, kind: str, stall: tuple[float, float]
) -> None:
    outage = some_outage(kind, 1000, 5)

    interval = measured(tmp_path, outage, stall)

    assert interval.low <= outage.seconds <= interval.high < math.inf


def test_a_generator_that_stands_still_for_long_confirms_no_recovery(tmp_path: Path) -> None:
    outage = some_outage("fails at once", 1000, 6)

    interval = measured(tmp_path, outage, (0.5, 1.5))

    assert interval.low <= outage.seconds
    assert interval.high == math.inf


def test_a_stall_is_not_an_outage(tmp_path: Path) -> None:
    load = stalled(steady_load(1000, 9, 1), 3.0, 3.25)
    history = load.into(Story(tmp_path)).fault(2.0).healed(8.0).tell()

    assert recovery_time(history).low == 0


@pytest.mark.parametrize(("schedule", "high"), [("poisson", 0.1), ("stratified", math.inf)])
def test_a_pause_by_chance_is_no_stall_of_random_arrivals(tmp_path: Path, schedule: str, high: float) -> None:
    load = steady_load(100, 40, 1)
    kept = ~((load.intended_ns > ns(33)) & (load.intended_ns < ns(33.15)))
    load = Load(**{name: getattr(load, name)[kept] for name in Load.__dataclass_fields__})
    history = load.into(Story(tmp_path, rate=100, schedule=schedule)).fault(4.0).healed(38.0).tell()

    assert recovery_time(history).high <= high
    assert (recovery_time(history).high > 20) == (schedule != "poisson")


def test_answers_a_little_late_from_a_platform_that_wakes_up_may_be_the_generators_doing(
    tmp_path: Path,
) -> None:
    """It froze for a second: who asked in its last 200 ms was answered in time, and read a little later."""
    load = steady_load(1000, 9, 1)
    held = (load.start_ns >= ns(3)) & (load.start_ns < ns(4))
    read_at = np.linspace(ns(4.001), ns(4.012), int(held.sum())).astype(np.int64)
    end = load.end_ns.copy()
    end[held] = read_at
    history = replace(load, end_ns=end).into(Story(tmp_path)).fault(3.0).healed(8.5).tell()

    interval = recovery_time(history)

    assert interval.low <= 0.8 <= interval.high
    assert interval.high - interval.low < 0.05


def test_a_first_good_request_that_took_long_to_arrive_had_not_arrived_before(tmp_path: Path) -> None:
    """Sent 15 ms before the end of the outage, it came to the platform just after it."""
    load = steady_load(1000, 9, 1)
    hit = (load.start_ns >= ns(3)) & (load.start_ns < ns(3.985))
    under_way = (load.start_ns >= ns(3.985)) & (load.start_ns < ns(4))
    end = np.where(under_way, ns(4.001), load.end_ns)
    history = replace(load, ok=load.ok & ~hit, end_ns=end).into(Story(tmp_path)).fault(3.0).healed(8.5).tell()

    interval = recovery_time(history)

    assert interval.low <= 1.0 <= interval.high
    assert interval.high - interval.low < 0.025


def test_service_that_never_holds_is_failed(tmp_path: Path) -> None:
    outage = replace(some_outage("fails at once", 100, 1), seconds=40.0)
    load = broken_load(outage, outage.held_at + 2)
    history = told(tmp_path, outage, load, outage.held_at + 1)

    interval = recovery_time(history)

    assert 39.5 < interval.low <= 40
    assert interval.high == math.inf
    assert judge(AURORA_RTO, history).verdict is Verdict.FAILED


def test_an_outage_that_begins_late_is_not_missed(tmp_path: Path) -> None:
    late = replace(some_outage("fails at once", 1000, 2), injected_at=1.0, injecting=0.0, broken_at=6.0)

    interval = measured(tmp_path, late)

    assert interval.low <= late.held_at - 1.0 <= interval.high
    assert interval.low > 5


def test_a_relapse_before_healing_counts(tmp_path: Path) -> None:
    first = replace(some_outage("fails at once", 1000, 3), injected_at=1.0, injecting=0.0, broken_at=1.0)
    load = broken_load(first, 16)
    relapse = (load.start_ns >= ns(9)) & (load.start_ns < ns(10))

    interval = recovery_time(told(tmp_path, first, replace(load, ok=load.ok & ~relapse), 14.0))

    assert interval.low <= 9.0 <= interval.high
    assert interval.low > 8.9


def test_healing_is_not_recovery(tmp_path: Path) -> None:
    outage = replace(some_outage("fails at once", 1000, 4), injected_at=1.0, broken_at=1.0, seconds=3.0)
    load = broken_load(outage, 12)

    assert recovery_time(told(tmp_path, outage, load, 3.9)).high == math.inf


def test_what_healing_breaks_is_not_the_faults(tmp_path: Path) -> None:
    load = steady_load(1000, 12, 1)
    cut = (load.start_ns > ns(7.9)) & (load.start_ns < ns(8.0))
    load = replace(load, ok=load.ok & ~cut, end_ns=np.where(cut, ns(8.1), load.end_ns))
    history = load.into(Story(tmp_path)).fault(2.0).healed(8.0).tell()

    assert recovery_time(history).high < 0.1


def test_a_fault_that_nobody_felt_was_recovered_from_at_once(tmp_path: Path) -> None:
    history = steady_load(1000, 9, 1).into(Story(tmp_path)).fault(2.0, took=0.1).healed(8.0).tell()

    interval = recovery_time(history)

    assert interval.low == 0
    assert 0.1 < interval.high < 0.11


def test_two_failures_in_three_thousand_are_no_outage(tmp_path: Path) -> None:
    load = steady_load(1000, 12, 1)
    ok = load.ok.copy()
    ok[[4000, 6500]] = False
    history = replace(load, ok=ok).into(Story(tmp_path)).fault(2.0).healed(11.0).tell()

    assert recovery_time(history).high < 0.1


def test_six_requests_by_hand(tmp_path: Path) -> None:
    """At 2/s the hold would take 1,500 s, and nobody watched for so long."""
    story = Story(tmp_path, rate=2.0).fault(0.9)
    for at, outcome in ((0, "ok"), (0.5, "ok"), (1, "failed"), (1.5, "failed"), (2, "ok"), (2.5, "ok")):
        story.request(at, outcome=outcome)

    interval = recovery_time(story.tell())

    assert interval.low == 0  # two failures may be two of three thousand
    assert interval.high == math.inf


def test_without_a_fault_it_is_blind(tmp_path: Path) -> None:
    interval = recovery_time(Story(tmp_path).request(1.0).tell())

    assert (interval.low, interval.high) == (-math.inf, math.inf)
    assert interval.note == "nothing was injected"


def test_without_requests_after_the_fault_it_is_blind(tmp_path: Path) -> None:
    interval = recovery_time(Story(tmp_path).request(1.0).fault(2.0).tell())

    assert (interval.low, interval.samples) == (-math.inf, 0)


def test_an_injection_without_an_end_may_have_bitten_at_any_time(tmp_path: Path) -> None:
    story = steady_load(1000, 9, 1).into(Story(tmp_path)).event("inject.start", 2.0)

    interval = recovery_time(story.healed(8.0).tell())

    assert interval.low == 0
    assert interval.high > 5


def test_a_million_requests_take_seconds_not_minutes(tmp_path: Path) -> None:
    """The arrays alone: reading so many lines is the history's affair."""
    load = steady_load(1000, 1000, 1)
    history = Story(tmp_path).fault(2.0).healed(998.0).tell()
    zero = np.zeros(len(load.ok), dtype=np.int8)
    history.__dict__["requests"] = Requests(
        intended_ns=load.intended_ns, lag_ns=load.start_ns - load.intended_ns,
        took_ns=load.end_ns - load.start_ns, endpoint=zero,
        outcome=zero, dropped=zero.astype(np.bool_),
    )  # fmt: skip

    assert recovery_time(history).high < 0.1
