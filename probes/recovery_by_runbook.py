"""How long until people had recovered the service by their runbook: never, when that failed.

Nothing recovers by itself when a region is lost. So a drill ends where its runbook does, and need not wait
for the limit to pass before it can tell that this was too long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement
from probes.instants import recovered
from probes.recovery_time import outage_of, recovery_time

if TYPE_CHECKING:
    from blackstart.history import History


def recovery_by_runbook(history: History) -> Measurement:
    """Measure the seconds from the fault until service held; infinitely many when the runbook failed.

    A runbook that somebody stopped has neither worked nor failed, and service that came back in spite of a
    failed one did come back: then it is measured as ever.
    """
    served, why = recovery_time(history), _why_failed(history)
    outage = outage_of(history)
    came_back = outage is None or outage.held_ns_max is not None
    if why is None or recovered(history) or came_back:
        return served
    return Measurement(
        low=math.inf, high=math.inf, unit="s", samples=served.samples, note=f"never, for the runbook {why}"
    )


def _why_failed(history: History) -> str | None:
    ends = [str(event.detail["outcome"]) for event in history.events if event.kind == "runbook.end"]
    return next((outcome for outcome in ends if outcome.startswith("failed")), None)
