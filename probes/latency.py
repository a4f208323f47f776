"""How long answers took outside the outage, from the *intended* start of each request.

A request without a good answer took at least the load's deadline, and at most for ever. One that the
generator itself sent late took at least its own time, and at most the time since it was meant to start.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from blackstart.drills import DEADLINE_S
from blackstart.verdict import Measurement, blind
from probes.outside import outside
from probes.proportion import quantile_bounds
from probes.sight import LAG_NS_MAX

if TYPE_CHECKING:
    import numpy.typing as npt

    from blackstart.history import History, Requests


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
    return _of(history.requests.where(outside(history)), quantile)


def _of(requests: Requests, quantile: float) -> Measurement:
    if not len(requests):
        return blind("ms", "no request was intended outside the outage")
    low_rank, high_rank = quantile_bounds(quantile, len(requests))
    late = requests.lag_ns > LAG_NS_MAX
    least_ns = np.where(late, requests.end_ns - requests.start_ns, requests.latency_ns)
    note = f"{int((~requests.ok).sum())} without a good answer"
    if late.any():
        note += f"; {int(late.sum())} sent late by the load generator"
    return Measurement(
        low=_at_rank(np.where(requests.ok, least_ns / 1e6, DEADLINE_S * 1e3), low_rank),
        high=_at_rank(np.where(requests.ok, requests.latency_ns / 1e6, np.inf), high_rank),
        unit="ms", samples=len(requests), note=note,
    )  # fmt: skip


def _at_rank(latency_ms: npt.NDArray[np.float64], rank: int) -> float:
    """Return the latency at this rank, from 1; ranks beyond the samples are beyond measure."""
    if rank < 1:
        return 0.0
    if rank > len(latency_ms):
        return math.inf
    return float(np.partition(latency_ms, rank - 1)[rank - 1])
