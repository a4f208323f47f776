"""How long after the fault the first alarm went off."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection, unaided_until_ns

if TYPE_CHECKING:
    from blackstart.history import History


def detection_time(history: History) -> Measurement:
    """Measure the seconds from the fault to the first alarm's change to ALARM.

    An alarm that was on before tells nobody anything new and does not count; nor does one that goes off
    once the drill puts staging back, which may shake it again.
    """
    fault, watched = injection(history), history.event("alarms.watched")
    if fault is None:
        return blind("s", "nothing was injected")
    if watched is None or not watched.detail.get("names"):
        return blind("s", "no alarm was watched")
    names, until_ns = len(watched.detail["names"]), unaided_until_ns(history)
    alarms = (event for event in history.events if _went_off(event.kind, event.detail))
    alarm = next((event for event in alarms if fault.from_ns <= event.at_ns <= until_ns), None)
    if alarm is None:
        silent_s = max(0, _watched_until_ns(history, fault.from_ns) - fault.until_ns) / 1e9
        note = f"none of {names} alarms went off"
        return Measurement(low=silent_s, high=math.inf, unit="s", samples=names, note=note)
    return Measurement(
        low=max(0, alarm.at_ns - fault.until_ns) / 1e9, high=(alarm.at_ns - fault.from_ns) / 1e9,
        unit="s", samples=names, note=f"{alarm.detail.get('name', 'an alarm')} went off first",
    )  # fmt: skip


def _watched_until_ns(history: History, from_ns: int) -> int:
    """Return until when an alarm could not have gone off unseen: the watch's end, or its first blink."""
    ends = [
        event.at_ns
        for event in history.events
        if event.kind in {"watch.blind", "alarms.unwatched"} and event.at_ns >= from_ns
    ]
    return min([*ends, unaided_until_ns(history)])


def _went_off(kind: str, detail: dict[str, object]) -> bool:
    return kind == "alarm" and detail.get("state") == "ALARM"
