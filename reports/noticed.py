"""Who noticed the fault: each alarm that was watched, when it went off, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from reports import markup
from reports.timeline import since_zero_s, zero_ns

if TYPE_CHECKING:
    from blackstart.history import Event, History
    from reports.record import Record

NAME = "first alarm"  # the promise, or the figure, of how soon somebody is told


class Rung(TypedDict):
    """One time that an alarm went off, in seconds after the injection; null while it had not gone back."""

    name: str
    on_s: float
    off_s: float | None


class AlarmsRecord(TypedDict):
    """What was watched, and what went off from the injection on."""

    watched: list[str]
    rung: list[Rung]


def alarms(history: History) -> AlarmsRecord:
    """Return every alarm that went off from the injection on, in order."""
    watched = history.event("alarms.watched")
    rung: list[Rung] = []
    for event in sorted(history.events, key=lambda event: event.at_ns):
        if event.kind == "alarm" and event.at_ns >= zero_ns(history):
            _note(rung, event, since_zero_s(history, event.at_ns))
    return AlarmsRecord(watched=list(watched.detail["names"]) if watched else [], rung=rung)


def _note(rung: list[Rung], event: Event, at_s: float) -> None:
    name = str(event.detail["name"])
    if event.detail["state"] == "ALARM":
        rung.append(Rung(name=name, on_s=at_s, off_s=None))
        return
    for one in rung:
        if one["name"] == name and one["off_s"] is None:
            one["off_s"] = at_s


def section(record: Record) -> str:
    """Return the page's section."""
    watched, rung = record["alarms"]["watched"], record["alarms"]["rung"]
    if not watched:
        return markup.section("Who noticed", "<p>No alarm was watched: nothing is known about it.</p>")
    silent = sorted(set(watched) - {one["name"] for one in rung})
    said = f"{len(watched)} alarms were watched. Silent throughout: {', '.join(silent) or 'none'}."
    rows = [(one["name"], markup.number(_s(one["on_s"])), markup.number(_s(one["off_s"]))) for one in rung]
    if not rows:
        return markup.section("Who noticed", "<p>Nobody: not one of them went off.</p>", said)
    heads = ("alarm", "went off", "went back")
    return markup.section("Who noticed", markup.table(heads, rows, "Seconds after the injection."), said)


def _s(at_s: float | None) -> str:
    return "not while we watched" if at_s is None else f"{at_s:+,.1f} s"
