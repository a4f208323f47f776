"""Writes a drill's reports into its folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import charts, junit
from reports.page import page
from reports.record import dumps
from reports.restores import lost_csv
from reports.series import marks, series, to_csv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blackstart.history import History
    from reports.record import Record

RECORD, PAGE, CHART, NUMBERS = "record.json", "report.html", "chart.svg", "chart.csv"
LOST, SCHEMA = "lost.csv", "record.schema.json"


def write(record: Record, history: History, folder: Path, lost: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write record, JUnit, chart, its numbers, what was lost, and the page; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    # first, and whatever becomes of the chart: it is what everything else is made from
    (folder / RECORD).write_text(dumps(record), encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name(SCHEMA), folder / SCHEMA)
    (folder / junit.FILE).write_text(junit.xml(record), encoding="utf-8")
    if lost:
        (folder / LOST).write_text(lost_csv(lost), encoding="utf-8")
    chart, told = None, ""
    if len(history.requests):
        drawn, marked = series(history), marks(history, record["recovery"])
        chart, told = charts.draw(drawn, marked), charts.alternative(drawn, marked)
        (folder / CHART).write_bytes(chart)
        (folder / NUMBERS).write_text(to_csv(drawn), encoding="utf-8")
    report = folder / PAGE
    report.write_text(page(record, chart, told), encoding="utf-8")
    return report
