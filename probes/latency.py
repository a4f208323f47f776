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

_QUANTILES = (0.50, 0.95, 0.99)


def p50(history: History) -> Measurement:
    """Measure the median latency outside the outage, in milliseconds."""
    return _latency(history, _QUANTILES[0])


def p95(history: History) -> Measurement:
    """Measure the latency that 95 of 100 requests stay below outside the outage, in milliseconds."""
    return _latency(history, _QUANTILES[1])


def p99(history: History) -> Measurement:
    """Measure the latency that 99 of 100 requests stay below outside the outage, in milliseconds."""
    return _latency(history, _QUANTILES[2])


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
    """How long the requests took at least, and at most, each in order of length at the ranks asked for.

    In 32 bits, which tell 200 ms from 200.00002.
    """

    least: npt.NDArray[np.float32]
    most: npt.NDArray[np.float32]
    note: str


@lru_cache(maxsize=1)  # three quantiles are asked for in turn
def _sorted_ms(history: History) -> _Sorted:
    is_judged = outside(history)
    judged = int(np.count_nonzero(is_judged))
    least, most = np.empty(judged, np.float32), np.empty(judged, np.float32)
    bad, late, row = 0, 0, 0
    for all_rows, piece in history.requests.pieces():  # what is in between takes much memory
        some = piece.where(is_judged[all_rows])
        rows = slice(row, row := row + len(some))
        is_late = some.lag_ns > LAG_NS_MAX
        most[rows] = np.where(some.ok, some.latency_ns / 1e6, np.inf)
        took_ns = np.where(is_late, some.took_ns, some.latency_ns)
        least[rows] = np.where(some.ok, took_ns / 1e6, DEADLINE_S * 1e3)
        bad, late = bad + int((~some.ok).sum()), late + int(is_late.sum())
    ranks = {rank for quantile in _QUANTILES for rank in quantile_bounds(quantile, judged)}
    asked = sorted(rank - 1 for rank in ranks if 1 <= rank <= judged)
    least.partition(asked)
    most.partition(asked)
    note = f"{bad} without a good answer"
    return _Sorted(
        least=least, most=most, note=f"{note}; {late} sent late by the load generator" if late else note
    )


def _at_rank(sorted_ms: npt.NDArray[np.float32], rank: int) -> float:
    """Return the latency at this rank, from 1; ranks beyond the samples are beyond measure."""
    if rank < 1:
        return 0.0
    return float(sorted_ms[rank - 1]) if rank <= len(sorted_ms) else math.inf
