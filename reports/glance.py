"""The first screen of a report: what was broken, did it come back, how fast, what was lost, who noticed.

Everything here is in the record, under the same names; this only says it in half a minute.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from reports import noticed, words

if TYPE_CHECKING:
    from reports.record import MeasuredRecord, ObjectiveRecord, Record

LOST = "acknowledged transfers lost"  # the promise, or the figure, of what is gone


def tiles(record: Record) -> str:
    """Return four questions with their answers."""
    asked = (
        ("What was broken?", *_broken(record)),
        ("Did service come back?", *_back(record)),
        ("What was lost?", *_lost(record)),
        ("Who noticed?", *_noticed(record)),
    )
    told = "".join(
        f'<div><dt>{question}</dt><dd class="answer">{escape(answer)}</dd><dd>{escape(more)}</dd></div>'
        for question, answer, more in asked
    )
    return f'<dl class="glance">{told}</dl>'


def plain(fault: str) -> str:
    """Return `Aurora writer crash` for `faults.aurora_writer_crash:AuroraWriterCrash`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", fault.rpartition(":")[2])
    return name[:1] + name[1:].lower()


def _broken(record: Record) -> tuple[str, str]:
    fault, bite = record["fault"], record["bite"]
    if fault is None:
        return "Nothing", "No fault was injected."
    proof = f"Proof: {bite['evidence']}." if bite["confirmed"] else f"NOT PROVEN: {bite['evidence']}."
    return plain(fault["name"]), f"{', '.join(fault['targets'])}. {proof}"


def _back(record: Record) -> tuple[str, str]:
    recovery = record["recovery"]
    if recovery is None:
        return "Not judged", "; ".join(record["reasons"])
    promise = next((one for one in record["objectives"] if one["measured"] == recovery), None)
    promised = f"Promised: {words.limit(promise)}." if promise else ""
    if recovery["high"] is None:
        how = "Not seen to" if recovery["low"] is None else f"Not within {recovery['low']:,.0f} s"
        return how, f"{promised} {_sentence(recovery['note'])}"
    by = "Unaided." if record["runbook"] is None else "By a runbook."
    return f"Yes, {words.within(recovery)}", f"{promised} {by} {_sentence(recovery['note'])}"


def _lost(record: Record) -> tuple[str, str]:
    load = record["load"]
    gone = measured(record, LOST)
    unanswered = f"{load['requests'] - load['ok']:,} of {load['requests']:,} requests had no good answer."
    if gone is None or gone["high"] is None:
        return "Not known", f"{_sentence(gone['note']) if gone else ''} {unanswered}"
    answer = "Nothing acknowledged" if gone["high"] == 0 else f"{words.interval(gone)}"
    return answer, f"{_sentence(gone['note'])} {unanswered}"


def _noticed(record: Record) -> tuple[str, str]:
    alarm = measured(record, noticed.NAME)
    if alarm is None:
        return "Not measured", ""
    if alarm["high"] is None:
        return "Nobody" if alarm["low"] is not None else "Not known", _sentence(alarm["note"])
    return f"An alarm, {words.within(alarm)}", f"{alarm['note']}."


def measured(record: Record, name: str) -> MeasuredRecord | None:
    """Return a measurement by its name, promised or not; None when there is none."""
    promises: list[ObjectiveRecord] = record["objectives"]
    for one in promises:
        if one["name"] == name:
            return one["measured"]
    return next((one["measured"] for one in record["figures"] if one["name"] == name), None)


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:]}." if note else ""
