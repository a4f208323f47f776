"""What is drawn of a drill, and the numbers beside it: made from its record and its history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports import charts, numbers
from reports.series import marks, series, to_csv

if TYPE_CHECKING:
    from blackstart.history import History
    from reports.record import Record


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The chart of a drill, the same in words, and its numbers as CSV and as tables of the page."""

    svg: bytes
    words: str
    csv: str
    by_phase: str
    step_by_step: str


def of(record: Record, history: History) -> Picture | None:
    """Draw a drill; None when it had no requests."""
    if not len(history.requests):
        return None
    drawn, marked = series(history), marks(history, record["recovery"])
    return Picture(
        svg=charts.draw(drawn, marked), words=charts.alternative(drawn, marked), csv=to_csv(drawn),
        by_phase=numbers.by_phase(record, history), step_by_step=numbers.step_by_step(drawn),
    )  # fmt: skip
