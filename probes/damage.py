"""Which recovery points were no good: those that the drill damaged, and those that nobody had to damage."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import recovered

if TYPE_CHECKING:
    from blackstart.history import History


def damaged_trusted(history: History) -> Measurement:
    """Measure how many damaged recovery points customers were served from."""
    damaged = {str(event.detail["recovery_point"]) for event in history.events if event.kind == "damage"}
    points = [str(e.detail["recovery_point"]) for e in history.events if e.kind == "restore.point"]
    if not damaged:
        return blind("recovery points", "no recovery point was damaged")
    if not points:
        return blind("recovery points", "no restore said which recovery point it came from")
    if not recovered(history):
        return blind("recovery points", "no runbook came to a good end")
    trusted = int(points[-1] in damaged)
    tried = sum(point in damaged for point in points[:-1])
    note = f"{tried} damaged recovery points were tried and refused; restored from {points[-1]}"
    return Measurement(low=trusted, high=trusted, unit="recovery points", samples=len(points), note=note)


def bad_by_themselves(history: History) -> Measurement:
    """Measure how many recovery points were refused although nobody had damaged them."""
    damaged = {str(event.detail["recovery_point"]) for event in history.events if event.kind == "damage"}
    points = [str(e.detail["recovery_point"]) for e in history.events if e.kind == "restore.point"]
    refused = {
        str(e.detail["recovery_point"]) for e in history.events if e.kind == "restore.refused"
    } - damaged
    # a run that was cut off may have refused the next one: what it refused already is bad all the same
    if not refused and not recovered(history):
        return blind("recovery points", "no runbook came to a good end")
    note = f"of {len(points)} tried: {', '.join(sorted(refused)) or 'all that nobody had damaged were good'}"
    high = len(refused) if recovered(history) else math.inf
    return Measurement(low=len(refused), high=high, unit="recovery points", samples=len(points), note=note)
