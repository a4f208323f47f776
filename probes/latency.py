"""How long answers took outside the outage, from the *intended* start of each request.

A request without a good answer took at least the load's deadline, and at most for ever. One that the
generator itself sent late took at least its own time, and at most the time since it was meant to start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from blackstart.drills import DEADLINE_S
from blackstart.verdict import Measurement, blind
from probes.outside import outside
from probes.proportion import quantile_bounds
from probes.sight import LAG_NS_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

    from blackstart.history import History


def p50(history: History) -> Measurement:
    """Measure the median latency outside the outage, in milliseconds."""
    return _latency(history, 0.50)


def p95(history: History) -> Measurement:
    """Measure the latency that 95 of 100 requests stay below outside the outage, in milliseconds."""
    return _latency(history, 0.95)


def p99(history: History) -> Measurement:
    """Measure the latency that 99 of 100 requests stay below outside the outage, in milliseconds."""
    return _latency(history, 0.99)


def _latency(history: History, quantile: float) -> Measurement:
    sorted_ms = _sorted_ms(history)
    samples = len(sorted_ms.least)
    if not samples:
        return blind("ms", "no request was intended outside the outage")
    low_rank, high_rank = quantile_bounds(quantile, samples)
    return Measurement(
        low=_at_rank(sorted_ms.least, low_rank), high=_at_rank(sorted_ms.most, high_rank),
        unit="ms", samples=samples, note=sorted_ms.note,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Sorted:
    """How long the requests took at least, and at most, each in order of length."""

    least: npt.NDArray[np.float32]
    most: npt.NDArray[np.float32]
    note: str


@lru_cache(maxsize=1)  # three quantiles are asked for in turn
def _sorted_ms(history: History) -> _Sorted:
    requests, mask = history.requests, outside(history)
    ok = requests.ok[mask]
    latency_ns, lag_ns = requests.latency_ns[mask], requests.lag_ns[mask]
    late = lag_ns > LAG_NS_MAX
    most = _in_order(latency_ns, ~ok, np.inf)
    np.subtract(latency_ns, lag_ns, out=latency_ns, where=late)
    note = f"{int((~ok).sum())} without a good answer"
    if late.any():
        note += f"; {int(late.sum())} sent late by the load generator"
    return _Sorted(least=_in_order(latency_ns, ~ok, DEADLINE_S * 1e3), most=most, note=note)


def _in_order(
    took_ns: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_], bad_ms: float
) -> npt.NDArray[np.float32]:
    """Return milliseconds in order; 32 bits tell 200 ms from 200.00002, in half the memory."""
    took_ms = (took_ns / 1e6).astype(np.float32)
    took_ms[bad] = bad_ms
    took_ms.sort()
    return took_ms


def _at_rank(sorted_ms: npt.NDArray[np.float32], rank: int) -> float:
    """Return the latency at this rank, from 1; ranks beyond the samples are beyond measure."""
    if rank < 1:
        return 0.0
    return float(sorted_ms[rank - 1]) if rank <= len(sorted_ms) else math.inf
