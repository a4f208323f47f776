"""Whether what the probe measured holds the truth, and how wide it is; what the onlookers said instead."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blackstart.drills import hold_s
from blackstart.verdict import judge
from calibration.kinds import WHOLE, Kind
from calibration.onlookers import said_s
from objectives import AURORA_RTO
from probes.recovery_time import BAD_SHARE_MAX, FAILED_SHARE_MAX
from probes.sight import GOOD_WITHIN_NS, LAG_NS_MAX, after_the_fault

if TYPE_CHECKING:
    from calibration.control import Truth
    from calibration.run import Seen

WIDTH_MS_MAX = {1000.0: 20.0, 100.0: 40.0}  # of a whole outage, regular arrivals, a generator that kept time
_EDGE_NS = 300_000_000
_STILL_NS_MAX = 100_000_000  # together with a late generator, more would make answers late
_LATE = frozenset({Kind.SLOW, Kind.STALLED})  # kinds that answer every request, but late


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One outage: the truth, what was measured, and what others said; all in seconds but for the width."""

    kind: str
    seconds: float
    rate: float
    schedule: str
    workers: int
    generator_stops: bool
    seed: int
    true_low_s: float
    true_high_s: float
    is_outage: bool  # False: too few requests were hit to break the promise, so service held all along
    low_s: float
    high_s: float | None
    width_ms: float | None  # beyond the injection's own length; None: not bounded
    covered: bool
    kept_time: bool
    lag_ms_max: float
    is_void: bool  # the target itself stood still, so what it did to requests is not known well enough
    hits: int
    verdict: str  # on an objective of 30 s
    poller_s: float | None
    stock_s: float | None

    @property
    def is_known(self) -> bool:
        """Tell whether the measurement has an upper bound."""
        return self.high_s is not None

    @property
    def is_regular(self) -> bool:
        """Tell whether the goal for the width concerns it.

        An outage that lets requests through may have ended after the last one that it hit, and Poisson
        arrivals leave gaps of any length: no instrument is narrower than its samples are apart.
        """
        return Kind(self.kind) in WHOLE and self.schedule != "poisson" and self.kept_time


def reading(seen: Seen) -> Reading:
    """Measure one outage with the probe that judges drills, and compare."""
    judged = judge(AURORA_RTO, seen.history)
    measured, truth, cell = judged.measurement, seen.truth, seen.cell
    low_true_s, high_true_s, is_outage = true_s(truth, cell.rate)
    injecting_s = (truth.broken_ns[1] - truth.broken_ns[0]) / 1e9
    bounded = math.isfinite(measured.high)
    looking_ns = truth.broken_ns[0] - 1_000_000_000, seen.until_ns
    return Reading(
        kind=cell.kind.value, seconds=seen.seconds, rate=cell.rate, schedule=cell.schedule,
        workers=cell.workers, generator_stops=cell.generator_stops, seed=cell.seed,
        true_low_s=low_true_s, true_high_s=high_true_s, is_outage=is_outage,
        low_s=measured.low, high_s=measured.high if bounded else None,
        width_ms=1e3 * (measured.high - max(0.0, measured.low) - injecting_s) if bounded else None,
        covered=measured.low <= low_true_s and high_true_s <= measured.high,
        kept_time=_kept_time(seen), lag_ms_max=_lag_ms_max(seen), is_void=_is_void(seen), hits=truth.hits,
        verdict=judged.verdict.value,
        poller_s=said_s(seen.polled, *looking_ns) if seen.polled else None,
        stock_s=said_s(seen.stock, *looking_ns) if seen.stock else None,
    )  # fmt: skip


def true_s(truth: Truth, rate: float) -> tuple[float, float, bool]:
    """Return how long the outage was: no less, no more, and whether it was one by the promise at all.

    Service is away while requests are not answered well within 200 ms. So a target that freezes and then
    answers everything is back, for those who ask, 200 ms before it wakes up. And an outage that hit no more
    requests than the promise of 99.9 % (99 %, for late ones) forgives was none.
    """
    early_ns = GOOD_WITHIN_NS if truth.kind is Kind.STALLED else 0
    low_ns = max(0, truth.mended_ns[0] - truth.broken_ns[1] - early_ns)
    high_ns = max(0, truth.mended_ns[1] - truth.broken_ns[0] - early_ns)
    hits = truth.hits
    if truth.kind is Kind.REFUSED:
        hits = round(rate * low_ns / 1e9)  # nobody was there to count them
    if truth.kind is Kind.STALLED:
        hits = round(hits * low_ns / max(1, low_ns + early_ns))  # the others did not wait for too long
    forgiven = (BAD_SHARE_MAX if truth.kind in _LATE else FAILED_SHARE_MAX) * rate * hold_s(rate)
    if hits <= forgiven:
        return 0.0, 0.0, False
    return low_ns / 1e9, high_ns / 1e9, True


def _kept_time(seen: Seen) -> bool:
    sight = after_the_fault(seen.history)
    return sight is not None and sight.stalled_ns == 0 and _lag_ms_max(seen) <= LAG_NS_MAX / 1e6


def _is_void(seen: Seen) -> bool:
    """Tell whether the target stood still at an edge of its outage, or for long at any time after it."""
    (broken_ns, _), (_, mended_ns) = seen.truth.broken_ns, seen.truth.mended_ns
    return any(
        _overlap(stall, broken_ns - _EDGE_NS, mended_ns + _EDGE_NS)
        or (_overlap(stall, broken_ns, seen.until_ns) and stall[1] - stall[0] > _STILL_NS_MAX)
        for stall in seen.stalls
    )


def _overlap(span: tuple[int, int], from_ns: int, until_ns: int) -> bool:
    return span[0] <= until_ns and span[1] >= from_ns


def _lag_ms_max(seen: Seen) -> float:
    """Return how late the generator was at most, from a second before the outage until it was watched."""
    requests = seen.history.requests
    near = requests.intended_ns >= seen.truth.broken_ns[0] - 1_000_000_000
    near &= (requests.intended_ns < seen.until_ns) & ~requests.dropped
    return float(np.max(requests.lag_ns[near], initial=0)) / 1e6
