"""How sure one can be of a share or a quantile, by exact bounds (Clopper and Pearson; order statistics).

Each bound of an interval is a one-sided 95 % bound: a verdict looks at one end only, so a promise that
is not kept is passed, and one that is kept is failed, in at most one of twenty drills. That is why 99.9 %
takes 2,995 requests without a failure. Wilson's bound would do with fewer, but is wrong more often than it
says when failures are rare: docs/statistics.md has the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtrik, betaincinv

from blackstart.verdict import RISK, Measurement, blind

if TYPE_CHECKING:
    import numpy.typing as npt


def share(good: npt.NDArray[np.bool_], at_ns: npt.NDArray[np.int64]) -> Measurement:
    """Return the share of good requests in percent, for requests intended at `at_ns`.

    Failures come in clusters, and thirty in one burst say as much about the rate of failures as one does:
    the lower bound counts the requests for less by as much. The upper bound does not, or a burst would
    excuse itself.
    """
    asked, answered = len(good), int(good.sum())
    if asked == 0:
        return blind("%", "no request was intended in the time asked about")
    clustering = dispersion(at_ns[~good], at_ns)
    low = 100 * share_min(answered / clustering, asked / clustering)
    note = f"{asked - answered:,} of {asked:,} requests were not answered well"
    if clustering > 1:
        note += f", in clusters (variance {clustering:.1f} times the mean)"
    note += f"; each bound with {1 - RISK:.0%} confidence (Clopper-Pearson)"
    return Measurement(low=low, high=100 * share_max(answered, asked), unit="%", samples=asked, note=note)


def share_min(good: float, asked: float) -> float:
    """Return the least share that is compatible with what was seen."""
    return 0.0 if good <= 0 else float(betaincinv(good, asked - good + 1, RISK))


def share_max(good: float, asked: float) -> float:
    """Return the greatest share that is compatible with what was seen."""
    return 1.0 if good >= asked else float(betaincinv(good + 1, asked - good, 1 - RISK))


def dispersion(failed_ns: npt.NDArray[np.int64], at_ns: npt.NDArray[np.int64]) -> float:
    """Return variance over mean of the failures per second, at least 1, which is pure chance."""
    if len(failed_ns) == 0:
        return 1.0
    # seconds in which nothing was asked, an outage cut out, are no seconds without failures
    seconds = np.unique(at_ns // 1_000_000_000)
    per_second = np.bincount(np.searchsorted(seconds, failed_ns // 1_000_000_000), minlength=len(seconds))
    return max(1.0, float(per_second.var() / per_second.mean()))


def quantile_bounds(quantile: float, samples: int) -> tuple[int, int]:
    """Return the ranks, from 1, of the samples between which the quantile lies.

    Rank 0 means below the least, `samples + 1` above the greatest: too few samples to say.
    """
    low = int(np.ceil(bdtrik(RISK, samples, quantile)))
    high = int(np.ceil(bdtrik(1 - RISK, samples, quantile))) + 1
    return max(low, 0), min(high, samples + 1)
