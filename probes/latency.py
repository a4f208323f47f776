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
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import numpy.typing as npt

    from blackstart.history import History, Requests

    Flags = npt.NDArray[np.bool_]

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
    found = _latencies(history)
    if not found.samples:
        return blind("ms", "no request was intended outside the outage")
    low_rank, high_rank = quantile_bounds(quantile, found.samples)
    return Measurement(
        low=found.least_ms[low_rank], high=found.most_ms[high_rank], unit="ms", samples=found.samples,
        note=found.note,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Latencies:
    """How long the requests at the ranks that are asked for took at least, and at most."""

    least_ms: Mapping[int, float]
    most_ms: Mapping[int, float]
    samples: int
    note: str


@lru_cache(maxsize=1)  # three quantiles are asked for in turn
def _latencies(history: History) -> _Latencies:
    is_judged = outside(history)
    samples = int(np.count_nonzero(is_judged))
    if not samples:
        return _Latencies(least_ms={}, most_ms={}, samples=0, note="")
    ranks = {rank for quantile in _QUANTILES for rank in quantile_bounds(quantile, samples)}
    # in turn, for millions of them take much memory
    least_ms = _at_ranks(map(_least_ms, _judged(history, is_judged)), samples, ranks)
    most_ms = _at_ranks(map(_most_ms, _judged(history, is_judged)), samples, ranks)
    bad = sum(int((~some.ok).sum()) for some in _judged(history, is_judged))
    late = sum(int(_is_late(some).sum()) for some in _judged(history, is_judged))
    note = f"{bad} without a good answer"
    return _Latencies(
        least_ms=least_ms, most_ms=most_ms, samples=samples,
        note=f"{note}; {late} sent late by the load generator" if late else note,
    )  # fmt: skip


def _judged(history: History, is_judged: Flags) -> Iterator[Requests]:
    return (piece.where(is_judged[rows]) for rows, piece in history.requests.pieces())


def _is_late(some: Requests) -> Flags:
    return some.lag_ns > LAG_NS_MAX


def _least_ms(some: Requests) -> npt.NDArray[np.float64]:
    took_ns = np.where(_is_late(some), some.took_ns, some.latency_ns)
    return np.where(some.ok, took_ns / 1e6, DEADLINE_S * 1e3)


def _most_ms(some: Requests) -> npt.NDArray[np.float64]:
    return np.where(some.ok, some.latency_ns / 1e6, np.inf)


def _at_ranks(
    some: Iterable[npt.NDArray[np.float64]], samples: int, ranks: Collection[int]
) -> dict[int, float]:
    """Return what stands at these ranks, from 1, in order of size; what is beyond all is beyond measure.

    In 32 bits, which tell 200 ms from 200.00002.
    """
    values, row = np.empty(samples, np.float32), 0
    for few in some:
        values[row : row + len(few)] = few
        row += len(few)
    there = [rank for rank in sorted(ranks) if 1 <= rank <= samples]
    values.partition([rank - 1 for rank in there])
    return {rank: 0.0 if rank < 1 else math.inf for rank in ranks} | {n: float(values[n - 1]) for n in there}
