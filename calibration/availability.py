"""Availability against a known truth, in the case where a closed load generator goes wrong.

While the target swallows requests, the users of a closed generator wait instead of asking: what they do not
ask, they do not count. The truth is the target's own count, and the length of the outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from blackstart.verdict import Verdict, judge
from calibration.kinds import Kind
from calibration.onlookers import availability
from calibration.plan import CALM_S, Cell
from calibration.run import run
from calibration.seen import kept_in
from objectives import LOAD_ARRIVED
from probes.availability import availability_overall

if TYPE_CHECKING:
    from pathlib import Path

OUTAGE_S: Final = 5.0
WIDTH_PERCENT_MAX: Final = 0.5  # a load that arrived leaves no more than that unrecorded [LOAD_ARRIVED]
EDGE: Final = 2  # arrivals that may fall on either side of the outage's two ends


@dataclass(frozen=True, kw_only=True)
class Availability:
    """How many requests the target hit, how many we say failed, and what stock Locust says."""

    rate: float
    outage_s: float
    intended: int
    true_bad: int  # by the target's own count
    analytic_bad: float  # arrivals per second times the outage's length
    measured_bad: int
    true_percent: float
    measured_percent: tuple[float, float]
    stock_percent: float | None
    stock_requests: int
    is_void: bool  # the load did not arrive: a drill would have been UNKNOWN, and it is to be run again
    right: bool


def measure(folder: Path, *, rate: float, seed: int = 1) -> Availability:
    """Run one black hole of 5 s under a constant load, with stock Locust beside it."""
    cell = Cell(kind=Kind.HUNG, rate=rate, schedule="constant", seconds=(OUTAGE_S,), seed=seed)
    run(cell, folder)
    seen = kept_in(folder)[0]
    measured, requests = availability_overall(seen.history), seen.history.requests
    from_ns = seen.truth.broken_ns[0] - int(CALM_S * 1e9)
    judged = requests.where(requests.intended_ns >= from_ns)
    bad, analytic = int((~judged.ok).sum()), rate * OUTAGE_S
    true_percent = 100 * (1 - seen.truth.hits / len(judged))
    is_void = judge(LOAD_ARRIVED, seen.history).verdict is not Verdict.PASSED
    right = bad == seen.truth.hits and measured.low <= true_percent <= measured.high
    right = right and measured.high - measured.low <= WIDTH_PERCENT_MAX
    stock = [look for look in seen.stock if look.start_ns >= from_ns]
    return Availability(
        rate=rate, outage_s=OUTAGE_S, intended=len(judged), true_bad=seen.truth.hits, analytic_bad=analytic,
        measured_bad=bad, true_percent=true_percent, measured_percent=(measured.low, measured.high),
        stock_percent=availability(stock), stock_requests=len(stock),
        is_void=is_void,
        right=not is_void and right and abs(bad - analytic) <= EDGE + rate * OUTAGE_S * 0.01,
    )  # fmt: skip
