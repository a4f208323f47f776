"""How long until as many tasks served as before the fault."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection, unaided_until_ns

if TYPE_CHECKING:
    from blackstart.history import Event, History

HEALTHY = "healthy targets"  # the observation: healthy tasks by zone, written down when it changes


def capacity_time(history: History) -> Measurement:
    """Measure the seconds from the fault until as many tasks as before were healthy, unaided.

    They are looked at once a second, so the moment lies between the last look at fewer and the first at all.
    """
    fault = injection(history)
    looks = [event for event in history.events if event.kind == "observation" and _is_of_tasks(event)]
    before = [look for look in looks if fault and look.at_ns <= fault.from_ns]
    if fault is None or not before:
        return blind("s", "nobody looked at the tasks before a fault")
    wanted, until_ns = _count(before[-1]), unaided_until_ns(history)
    after = [look for look in looks if fault.from_ns < look.at_ns <= until_ns]
    fewer = [number for number, look in enumerate(after) if _count(look) < wanted]
    if not fewer:
        return blind("s", f"never fewer than {wanted} healthy tasks were seen: nothing had to be replaced")
    least = min(_count(after[number]) for number in fewer)
    last_s = (after[fewer[-1]].at_ns - fault.until_ns) / 1e9
    if fewer[-1] + 1 == len(after):
        # at the last look too: so it was until healing began
        note = f"{_count(after[-1])} of {wanted} tasks were healthy when healing began"
        low_s = max(last_s, (until_ns - fault.until_ns) / 1e9)
        return Measurement(low=max(0.0, low_s), high=math.inf, unit="s", samples=len(after), note=note)
    whole_s = (after[fewer[-1] + 1].at_ns - fault.from_ns) / 1e9
    note = f"{least} of {wanted} tasks were healthy at the worst"
    return Measurement(low=max(0.0, last_s), high=whole_s, unit="s", samples=len(after), note=note)


def _is_of_tasks(event: Event) -> bool:
    return event.detail.get("name") == HEALTHY


def _count(event: Event) -> int:
    zones: dict[str, int] = event.detail["value"]
    return sum(zones.values())
