"""Whether people could recover by their runbook: a procedure that gets stuck is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind

if TYPE_CHECKING:
    from blackstart.history import History


def runbook_failures(history: History) -> Measurement:
    """Measure how many runbooks were begun by the drill and came to no good end within its limit.

    One that somebody stopped from outside, before the limit, has neither worked nor failed.
    """
    starts = [event for event in history.events if event.kind == "runbook.start"]
    ends = [str(event.detail["outcome"]) for event in history.events if event.kind == "runbook.end"]
    if not starts:
        return blind("runbooks", "no runbook was begun")
    failed = [outcome for outcome in ends if outcome.startswith("failed")]
    finished = ends.count("finished")
    # cleaning up after it ends it too, as "abandoned"
    stuck = int(not (failed or finished) and history.event("limit.passed") is not None)
    if not (failed or finished or stuck):
        return blind("runbooks", "the runbook was stopped before it could come to an end")
    note = "; ".join(failed) or ("it did not end within the limit of the drill" if stuck else "it finished")
    bad = len(failed) + stuck
    return Measurement(low=bad, high=bad, unit="runbooks", samples=len(starts), note=note)
