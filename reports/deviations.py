"""Where a drill departed from its plan, so that nobody has to find it between the lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports import markup, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.record import Record

_STEP_AS_PLANNED = ("done", "was done already")


def deviations(record: Record) -> tuple[str, ...]:
    """Return each departure in a sentence; none means that it went as planned."""
    return tuple(_found(record))


def section(record: Record) -> str:
    """Return the page's section."""
    body = markup.listed(deviations(record)) or "<p>None: it went as it was planned.</p>"
    return markup.section("Deviations from the plan", body)


def _found(record: Record) -> Iterator[str]:
    yield from record["reasons"]
    for promise in record["preconditions"]:
        if promise["verdict"] != "PASSED":
            told = f"{words.interval(promise['measured'])}, {words.limit(promise)} was planned"
            yield f"The drill itself fell short, {promise['name']}: {told}."
    if record["load"]["dropped"]:
        yield f"{record['load']['dropped']:,} requests were not sent; each counts as failed."
    if not record["bite"]["confirmed"]:
        yield f"The fault was not proven to bite: {record['bite']['evidence']}."
    if record["code"]["tree"] != "clean":
        how = "changed since" if record["code"]["tree"] == "dirty" else "not known to be as committed"
        yield f"The code was {how}: commit {record['code']['commit']}."
    for defect in record["staging"]["defects"]:
        yield f"A defect was planted in the staging on purpose: {defect}."
    yield from _of_people(record)
    blind = sum(line["what"].startswith("the watch was blind") for line in record["timeline"])
    if blind:
        yield f"The watch on alarms and shape could not look {blind} times."


def _of_people(record: Record) -> Iterator[str]:
    followed = record["runbook"]
    if followed is None:
        return
    for step in followed["steps"]:
        if step["outcome"] not in _STEP_AS_PLANNED:
            why = f": {step['detail']}" if step["detail"] else ""
            yield f"The runbook's step {step['step']!r} {step['outcome']}{why}."
    for refused in followed["refused"]:
        yield f"The recovery point {refused['recovery_point']} was refused: {refused['why']}."
    if followed["outcome"] != "finished":
        yield f"The runbook {followed['outcome']}."
