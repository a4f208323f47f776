"""The load over time, in bins, and the moments worth a mark: what the charts draw."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blackstart.history import OUTCOMES, Outcome
from reports.timeline import since_zero_s, zero_ns

if TYPE_CHECKING:
    from blackstart.history import History, Requests
    from reports.record import MeasuredRecord

BINS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
REQUESTS_PER_BIN = 50  # enough for a percentage that does not flicker
BINS_MAX = 400  # more than the picture has room for

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One number per bin, by intended start. Latency is infinite where too many had no good answer."""

    bin_s: float
    from_s: Numbers
    intended: Numbers
    ok: Numbers
    failed: Numbers
    unknown: Numbers
    p50_ms: Numbers
    p99_ms: Numbers

    @property
    def availability(self) -> Numbers:
        """Good requests in percent of the intended ones; not a number where none was."""
        asked = np.where(self.intended > 0, self.intended, np.nan)
        availability: Numbers = 100 * self.ok / asked
        return availability


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment, or a span of uncertainty about one, in seconds after the injection."""

    name: str
    from_s: float
    until_s: float


def series(history: History) -> Series:
    """Sort the requests into bins of 0.1 s or more. Raises ValueError when there are none."""
    requests = history.requests
    if not len(requests):
        raise ValueError("there are no requests to draw")
    at_s = (requests.intended_ns - zero_ns(history)) / 1e9
    bin_s = _bin_s(len(requests), float(at_s[-1] - at_s[0]))
    bins = np.floor(at_s / bin_s).astype(np.int64)
    first = int(bins[0])
    count = int(bins[-1]) - first + 1
    p50_ms, p99_ms = _latencies(requests, bins - first, count)
    ended = [_per_bin(requests, outcome, bins - first, count) for outcome in Outcome]
    from_s = np.round((np.arange(count) + first) * bin_s, 3)
    return Series(
        bin_s=bin_s, from_s=from_s, intended=sum(ended, np.zeros(count)),
        ok=ended[0], failed=ended[1], unknown=ended[2], p50_ms=p50_ms, p99_ms=p99_ms,
    )  # fmt: skip


def marks(history: History, recovery: MeasuredRecord | None) -> tuple[Mark, ...]:
    """Return fault, first alarm, recovery and healing, as far as there were any."""
    found = [
        _span(history, "fault", "inject.start", "inject.end"),
        _first_alarm(history),
        _recovery(recovery),
        _span(history, "healing", "heal.start", "heal.end"),
    ]
    return tuple(mark for mark in found if mark)


def to_csv(drawn: Series) -> str:
    """Return the numbers behind the chart; an infinite latency is written `inf`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("from_s", "until_s", "intended", "ok", "failed", "unknown", "p50_ms", "p99_ms"))
    columns = (drawn.from_s, drawn.from_s + drawn.bin_s, drawn.intended, drawn.ok, drawn.failed)
    for row in zip(*columns, drawn.unknown, drawn.p50_ms, drawn.p99_ms, strict=True):
        writer.writerow(f"{value:.3f}".rstrip("0").rstrip(".") for value in row)
    return text.getvalue()


def _bin_s(requests: int, seconds: float) -> float:
    """Return the width that holds enough requests, and makes few enough bins."""
    wanted = max(REQUESTS_PER_BIN * seconds / requests, seconds / BINS_MAX)
    return next((width for width in BINS_S if width >= wanted), max(BINS_S))


def _per_bin(requests: Requests, outcome: Outcome, bins: npt.NDArray[np.int64], count: int) -> Numbers:
    chosen = requests.outcome == OUTCOMES.index(outcome)
    return np.bincount(bins[chosen], minlength=count).astype(np.float64)


def _latencies(requests: Requests, bins: npt.NDArray[np.int64], count: int) -> tuple[Numbers, Numbers]:
    latency_ms = np.where(requests.ok, requests.latency_ns / 1e6, np.inf)
    edges = np.searchsorted(bins, np.arange(count + 1))
    quantiles = np.full((2, count), np.nan)
    for number, (begin, end) in enumerate(pairwise(edges)):
        if end > begin:
            here = latency_ms[begin:end]
            quantiles[:, number] = np.quantile(here, (0.5, 0.99), method="higher")
    return quantiles[0], quantiles[1]


def _span(history: History, name: str, begins: str, ends: str) -> Mark | None:
    start = history.event(begins)
    if start is None:
        return None
    last = max((event.at_ns for event in history.events if event.kind == ends), default=start.at_ns)
    return Mark(name=name, from_s=since_zero_s(history, start.at_ns), until_s=since_zero_s(history, last))


def _first_alarm(history: History) -> Mark | None:
    for event in history.events:
        if event.kind == "alarm" and event.detail.get("state") == "ALARM" and event.at_ns >= zero_ns(history):
            at_s = since_zero_s(history, event.at_ns)
            return Mark(name="first alarm", from_s=at_s, until_s=at_s)
    return None


def _recovery(recovery: MeasuredRecord | None) -> Mark | None:
    """Return the span in which service held again, on the clock that starts with the injection."""
    if recovery is None or recovery["low"] is None or recovery["high"] is None:
        return None
    return Mark(name="recovery", from_s=recovery["low"], until_s=recovery["high"])
