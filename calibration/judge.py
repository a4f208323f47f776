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
from probes.sight import LAG_NS_MAX, after_the_fault

if TYPE_CHECKING:
    from blackstart.verdict import Measurement
    from calibration.control import Truth
    from calibration.seen import Seen

WIDTH_MS_MAX = {1000.0: 20.0, 100.0: 40.0}  # of a whole outage, regular arrivals, a generator that kept time
_EDGE_NS = 300_000_000
_NEAR_NS = 1_000_000_000
_STILL_NS_MAX = 100_000_000  # together with a late generator, more would make answers late
_UNSURE_NS_MAX = 5_000_000  # a truth that is known less well than this is none
_AT_THE_EDGE = 3  # requests that were under way when it broke or was mended: hit or not, nobody knows
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
    is_close: bool  # about as many were hit as the promise forgives: both 0 and its length are the truth
    low_s: float
    high_s: float | None
    width_ms: float | None  # beyond the injection's own length; None: not bounded
    covered: bool
    kept_time: bool
    lag_ms_max: float
    is_void: bool  # the target stood still, or is not sure when it did what: the truth is not known
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
        arrivals leave gaps of any length: no instrument is narrower than its samples are apart. One that the
        promise forgives is both: none, and as long as it was.
        """
        is_forgiven = self.is_close or (self.seconds > 0 and not self.is_outage)
        is_whole = Kind(self.kind) in WHOLE and not is_forgiven
        return is_whole and self.schedule != "poisson" and self.kept_time

    @property
    def is_too_wide(self) -> bool:
        """Tell whether the instrument said less than it could have: who says "anything" is never wrong.

        A generator that kept time under regular arrivals saw the end of every outage, and that of whole ones
        so well that the goal for the width must be met. Poisson arrivals may leave the end open.
        """
        if not self.kept_time or self.schedule == "poisson":
            return False
        goal_ms = WIDTH_MS_MAX.get(self.rate, math.inf)
        return self.width_ms is None or (self.is_regular and self.width_ms > goal_ms)


def reading(seen: Seen) -> Reading:
    """Measure one outage with the probe that judges drills, and compare."""
    judged = judge(AURORA_RTO, seen.history)
    measured, truth, cell = judged.measurement, seen.truth, seen.cell
    true = true_s(truth, cell.rate, _hits(seen))
    injecting_s = (truth.broken_ns[1] - truth.broken_ns[0]) / 1e9
    bounded = math.isfinite(measured.high)
    looking_ns = truth.broken_ns[0] - _NEAR_NS, seen.until_ns
    return Reading(
        kind=cell.kind.value, seconds=seen.seconds, rate=cell.rate, schedule=cell.schedule,
        workers=cell.workers, generator_stops=cell.generator_stops, seed=cell.seed,
        true_low_s=true.low_s, true_high_s=true.high_s, is_outage=true.is_outage, is_close=true.is_close,
        low_s=measured.low, high_s=measured.high if bounded else None,
        width_ms=1e3 * (measured.high - max(0.0, measured.low) - injecting_s) if bounded else None,
        covered=_holds(measured, true), kept_time=_kept_time(seen), lag_ms_max=_lag_ms_max(seen),
        is_void=_is_void(seen), hits=truth.hits, verdict=judged.verdict.value,
        poller_s=said_s(seen.polled, *looking_ns) if seen.polled else None,
        stock_s=said_s(seen.stock, *looking_ns) if seen.stock else None,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long an outage was: no less, no more, and whether it was one by the promise at all."""

    low_s: float
    high_s: float
    is_outage: bool
    is_close: bool


def true_s(truth: Truth, rate: float, hits: int) -> Length:
    """Return how long the outage was, which hit so many requests.

    Service is away while requests are not answered well within 200 ms; and an outage that hit no more of
    them than the promise of 99.9 % (99 %, for late ones) forgives was none.
    """
    low_ns = max(0, truth.again_ns[0] - truth.broken_ns[1])
    high_ns = max(0, truth.again_ns[1] - truth.broken_ns[0])
    forgiven = (BAD_SHARE_MAX if truth.kind in _LATE else FAILED_SHARE_MAX) * rate * hold_s(rate)
    is_close = hits > 0 and abs(hits - forgiven) <= _AT_THE_EDGE
    if hits <= forgiven:
        return Length(
            low_s=0.0, high_s=high_ns / 1e9 if is_close else 0.0, is_outage=False, is_close=is_close
        )
    return Length(low_s=low_ns / 1e9, high_s=high_ns / 1e9, is_outage=True, is_close=is_close)


def _holds(measured: Measurement, true: Length) -> bool:
    """Tell whether the truth can lie in the interval: that of the truth itself is microseconds wide."""
    if measured.low <= true.high_s and true.low_s <= measured.high:
        return True
    return true.is_close and measured.low <= 0.0


def _hits(seen: Seen) -> int:
    """Return how many requests were hit; those that were refused came to nobody: the schedule counts them."""
    truth = seen.truth
    if truth.kind is not Kind.REFUSED:
        return truth.hits
    return len(seen.history.requests.between(truth.broken_ns[1], truth.again_ns[0]))


def _kept_time(seen: Seen) -> bool:
    """Tell whether the generator was on time around the outage, and never blind until it was watched."""
    sight = after_the_fault(seen.history)
    return sight is not None and not sight.gap_after[:-1].any() and _lag_ms_max(seen) <= LAG_NS_MAX / 1e6


def _is_void(seen: Seen) -> bool:
    """Tell whether the target stood still at an edge of its outage, or for long at any time after it."""
    truth = seen.truth
    (broken_ns, _), (_, mended_ns) = truth.broken_ns, truth.mended_ns
    unsure_ns = truth.again_ns[1] - truth.again_ns[0] + truth.broken_ns[1] - truth.broken_ns[0]
    return unsure_ns > _UNSURE_NS_MAX or any(
        _overlap(stall, broken_ns - _EDGE_NS, mended_ns + _EDGE_NS)
        or (_overlap(stall, broken_ns, seen.until_ns) and stall[1] - stall[0] > _STILL_NS_MAX)
        for stall in seen.stalls
    )


def _overlap(span: tuple[int, int], from_ns: int, until_ns: int) -> bool:
    return span[0] <= until_ns and span[1] >= from_ns


def _lag_ms_max(seen: Seen) -> float:
    """Return how late the generator was at most, from a second before the outage to a second after it."""
    requests = seen.history.requests.between(
        seen.truth.broken_ns[0] - _NEAR_NS, seen.truth.mended_ns[1] + _NEAR_NS
    )
    return float(np.max(requests.lag_ns[~requests.dropped], initial=0)) / 1e6
