"""The numbers beside the charts, as tables: by phase for everybody, each step for those who count."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from blackstart.history import OUTCOMES, Outcome
from reports import markup
from reports.timeline import zero_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.history import History
    from reports.record import Record
    from reports.series import Numbers, Series

_HEADS = ("from", "to", "requests", "good", "failed", "unknown", "good, %", "half below", "99 of 100 below")


def by_phase(record: Record, history: History) -> str:
    """Return a table with a row for each phase of the drill; requests belong to it by intended start."""
    heads = ("phase", *_HEADS)
    note = (
        "Seconds after the injection; latencies from the intended start, in ms; inf: without a good answer."
    )
    return markup.table(heads, _phases(record, history), note)


def step_by_step(drawn: Series) -> str:
    """Return the numbers behind every step of the chart, folded away; chart.csv holds the same."""
    columns = (
        drawn.from_s,
        drawn.from_s + drawn.bin_s,
        drawn.intended,
        drawn.ok,
        drawn.failed,
        drawn.unknown,
    )
    rows = zip(*columns, drawn.availability, drawn.p50_ms, drawn.p99_ms, strict=True)
    told = markup.table(_HEADS, (_cells(*row) for row in rows))
    return f"<details><summary>Every step of the chart as a table</summary>\n{told}</details>"


def _phases(record: Record, history: History) -> Iterator[list[str | markup.Cell]]:
    begins = [zero_ns(history) + round(phase["from_s"] * 1e9) for phase in record["phases"]]
    for phase, (from_ns, until_ns) in zip(record["phases"], pairwise([*begins, None]), strict=True):
        mine = history.requests.between(from_ns or 0, until_ns)
        ended = [int((mine.outcome == OUTCOMES.index(outcome)).sum()) for outcome in Outcome]
        latency_ms = np.where(mine.ok, mine.latency_ns / 1e6, np.inf)
        good = 100 * ended[0] / len(mine) if len(mine) else math.nan
        cells = _cells(
            phase["from_s"], phase["until_s"], len(mine), *ended, good,
            _quantile(latency_ms, 0.5), _quantile(latency_ms, 0.99),
        )  # fmt: skip
        yield [phase["name"], *cells]


def _quantile(latency_ms: Numbers, of: float) -> float:
    return float(np.quantile(latency_ms, of, method="higher")) if len(latency_ms) else math.nan


def _cells(*values: float) -> list[markup.Cell]:
    """Return the cells for: from, to, four counts, a percentage, two latencies."""
    shown = [f"{value:,.1f}" for value in values[:2]] + [f"{value:,.0f}" for value in values[2:6]]
    # cut off, never rounded up: 99.96 % is not 100 %
    good = "-" if math.isnan(values[6]) else f"{math.floor(values[6] * 100) / 100:.2f}"
    shown += [good, *("-" if math.isnan(value) else f"{value:,.1f}" for value in values[7:])]
    return [markup.number(value) for value in shown]
