"""How far the wall clock was set, against the clock that only runs: alarms and restores are dated by it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind

if TYPE_CHECKING:
    from blackstart.history import History


def clock_step(history: History) -> Measurement:
    """Measure by how many seconds the two clocks of the conductor came apart during the drill."""
    apart_s = [datetime.fromisoformat(event.utc).timestamp() - event.at_ns / 1e9 for event in history.events]
    if len(apart_s) < 2:  # noqa: PLR2004 - two readings make one difference
        return blind("s", "the clocks were not read twice")
    step_s = max(apart_s) - min(apart_s)
    note = "both clocks of the conductor, at each event"
    return Measurement(low=step_s, high=step_s, unit="s", samples=len(apart_s), note=note)
