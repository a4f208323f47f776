"""A drill as JUnit XML, which every CI system can show: one test case per promise.

A missed promise is a failure; one that was not proven is an error, never a pass and never skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from reports import words

if TYPE_CHECKING:
    from reports.record import ObjectiveRecord, Record

FILE = "junit.xml"


def xml(record: Record) -> str:
    """Return the document, the same bytes for the same record."""
    promises = record["preconditions"] + record["objectives"]
    suite = ET.Element("testsuite", {
        "name": record["drill"],
        "tests": str(len(promises) + 1),
        "failures": str(sum(p["verdict"] == "FAILED" for p in promises) + (record["verdict"] == "FAILED")),
        "errors": str(sum(p["verdict"] == "UNKNOWN" for p in promises) + (record["verdict"] == "UNKNOWN")),
        "timestamp": str(record["zero"]["utc"] or ""),
    })  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run", record["run"]), ("seed", record["seed"]), ("rate", record["rate_per_s"])):
        ET.SubElement(properties, "property", name=name, value=str(value))
    for promise in promises:
        _case(suite, record["drill"], promise)
    _drill(suite, record)
    ET.indent(suite, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _case(suite: ET.Element, drill: str, promise: ObjectiveRecord) -> None:
    case = ET.SubElement(suite, "testcase", classname=drill, name=promise["name"])
    told = f"{words.interval(promise['measured'])}, promised {words.limit(promise)} [{promise['clause']}]"
    _outcome(case, promise["verdict"], told, promise["measured"]["note"])


def _drill(suite: ET.Element, record: Record) -> None:
    """Add the drill as a whole: it may fail to prove anything although every promise was met."""
    case = ET.SubElement(suite, "testcase", classname=record["drill"], name="the drill as a whole")
    why = words.headline(record["verdict"], record["preconditions"] + record["objectives"], record["reasons"])
    _outcome(case, record["verdict"], why, "\n".join(record["reasons"]))


def _outcome(case: ET.Element, verdict: str, told: str, why: str) -> None:
    if verdict == "PASSED":
        ET.SubElement(case, "system-out").text = told
    else:
        ET.SubElement(case, "failure" if verdict == "FAILED" else "error", message=told).text = why
