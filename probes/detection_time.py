"""How long after the fault the first alarm went off that somebody hears: any, or that of what failed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection, unaided_until_ns

if TYPE_CHECKING:
    from blackstart.history import Event, History


def detection_time(history: History) -> Measurement:
    """Measure the seconds from the fault to the first alarm's change to ALARM.

    An alarm that was on before tells nobody anything new and does not count; nor does one that goes off
    once the drill puts staging back, which may shake it again; nor one whose actions reach nobody.
    """
    return _first(history, "")


def database_alarm(history: History) -> Measurement:
    """Measure the same for the alarm that names the database."""
    return _first(history, "ledger-writer-unavailable")


def interruption_alarm(history: History) -> Measurement:
    """Measure the same for the alarm that names interrupted Spot capacity."""
    return _first(history, "bank-api-spot-interrupted")


def placement_alarm(history: History) -> Measurement:
    """Measure the same for the alarm that names tasks without capacity."""
    return _first(history, "bank-api-unplaced-tasks")


def _first(history: History, name: str) -> Measurement:
    """Measure the seconds to the first alarm whose name begins so."""
    fault, watched = injection(history), history.event("alarms.watched")
    if fault is None:
        return blind("s", "nothing was injected")
    if watched is None:
        return blind("s", "no alarm was watched")
    heard = _heard(watched, name)
    names, until_ns = len(heard), unaided_until_ns(history)
    alarms = (event for event in history.events if _went_off(event, heard))
    alarm = next((event for event in alarms if fault.from_ns <= event.at_ns <= until_ns), None)
    if alarm is None:
        silent_s = max(0, _watched_until_ns(history, fault.from_ns) - fault.until_ns) / 1e9
        note = f"none of {names} alarms{f' called {name}' if name else ''} that reach somebody went off"
        return Measurement(low=silent_s, high=math.inf, unit="s", samples=names, note=note)
    return Measurement(
        low=max(0, alarm.at_ns - fault.until_ns) / 1e9, high=(alarm.at_ns - fault.from_ns) / 1e9,
        unit="s", samples=names, note=f"{alarm.detail.get('name', 'an alarm')} went off first",
    )  # fmt: skip


def _heard(watched: Event, name: str) -> frozenset[str]:
    """Return the alarms that reach somebody; a history that does not say which was not asked."""
    heard: list[str] = watched.detail.get("heard", watched.detail.get("names", []))
    return frozenset(known for known in heard if known.startswith(name))


def _watched_until_ns(history: History, from_ns: int) -> int:
    """Return until when an alarm could not have gone off unseen: the watch's end, or its first blink."""
    ends = [
        event.at_ns
        for event in history.events
        if event.kind in {"watch.blind", "alarms.unwatched"} and event.at_ns >= from_ns
    ]
    return min([*ends, unaided_until_ns(history)])


def _went_off(event: Event, heard: frozenset[str]) -> bool:
    return event.kind == "alarm" and event.detail.get("state") == "ALARM" and event.detail["name"] in heard
