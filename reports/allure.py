"""Shows a drill in the running pytest test's Allure report, and ends the test as the verdict says.

A missed objective is a failed test; what was not proven is a broken one: Allure tells an AssertionError
from any other exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import allure

from reports import words
from reports.files import CHART, NUMBERS, PAGE, RECORD
from reports.page import objective_table

if TYPE_CHECKING:
    from pathlib import Path

    from reports.record import Record

_ATTACHMENTS = (
    ("Availability and latency over time", CHART, allure.attachment_type.SVG),
    ("The numbers behind the chart", NUMBERS, allure.attachment_type.CSV),
    ("Record", RECORD, allure.attachment_type.JSON),
    ("Report", PAGE, allure.attachment_type.HTML),
)


class NotProven(Exception):
    """The drill could not tell whether the promises were kept."""


def attach(record: Record, folder: Path) -> None:
    """Label the running test and attach what `reports.files.write` left in the folder."""
    _label(record)
    allure.attach(timeline(record), "What happened when", allure.attachment_type.TEXT)
    # Allure shows the table in a frame of its own, without the page's style
    allure.attach(objective_table(record), "Objectives", allure.attachment_type.HTML)
    for name, file, kind in _ATTACHMENTS:
        if (folder / file).exists():
            allure.attach.file(str(folder / file), name, kind)


def conclude(record: Record) -> None:
    """Return when the drill passed. Raises AssertionError when it failed, NotProven when it is unknown."""
    if record["verdict"] == "FAILED":
        _missed(record)
    if record["verdict"] != "PASSED":
        raise NotProven(_why(record))


def timeline(record: Record) -> str:
    """Return what happened, as lines of text."""
    return "".join(f"{words.moment(line['at_s'])}  {line['what']}\n" for line in record["timeline"])


def _label(record: Record) -> None:
    allure.dynamic.title(record["title"])
    allure.dynamic.severity(allure.severity_level.CRITICAL)
    allure.dynamic.tag(record["drill"], f"seed {record['seed']}")
    clauses = {clause for objective in record["objectives"] for clause in objective["clause"].split(", ")}
    for clause in sorted(clauses):
        allure.dynamic.label("clause", clause)
    allure.dynamic.parameter("rate", f"{record['rate_per_s']:g}/s")
    allure.dynamic.parameter("staging", record["staging"]["name"])


def _missed(record: Record) -> NoReturn:
    raise AssertionError(_why(record))


def _why(record: Record) -> str:
    promises = record["preconditions"] + record["objectives"]
    lines = [words.headline(record["verdict"], promises, record["reasons"])]
    lines += [
        f"{promise['name']}: {words.interval(promise['measured'])}, promised {words.limit(promise)} "
        f"[{promise['clause']}]: {promise['verdict']}"
        for promise in promises
        if promise["verdict"] != "PASSED"
    ]
    return "\n".join([*lines, *record["reasons"]])
