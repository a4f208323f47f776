"""Writes a drill's reports into its folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import allure_results, junit, pictures
from reports.page import page
from reports.record import dumps
from reports.restores import lost_csv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blackstart.history import History
    from reports.pictures import Picture
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
    drawn = pictures.of(record, history)
    if drawn is not None:
        (folder / CHART).write_bytes(drawn.svg)
        (folder / NUMBERS).write_text(drawn.csv, encoding="utf-8")
    _allure(record, drawn, folder / allure_results.FOLDER)
    report = folder / PAGE
    report.write_text(page(record, drawn), encoding="utf-8")
    return report


def shown(drawn: Picture | None) -> dict[str, bytes]:
    """Return the files of a drill that Allure shows with it."""
    return {} if drawn is None else {CHART: drawn.svg, NUMBERS: drawn.csv.encode()}


def _allure(record: Record, drawn: Picture | None, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in allure_results.files_of(record, shown(drawn)).items():
        (folder / name).write_bytes(content)
