"""How many tasks that were told to end had to be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.verdict import Measurement, blind
from probes.ended_tasks import ENDED
from probes.instants import injection

if TYPE_CHECKING:
    from blackstart.history import History

TOLD_TO = ("SpotInterruption", "UserInitiated", "ServiceSchedulerInitiated")
_SIGKILL = 137


def killed_tasks(history: History) -> Measurement:
    """Count the tasks that were told to end since the fault, and ended by SIGKILL."""
    fault = injection(history)
    looks = [e for e in history.events if e.kind == "observation" and e.detail.get("name") == ENDED]
    if fault is None or not looks:
        return blind("tasks", "nobody looked at tasks that end")
    before: list[dict[str, Any]] = [look.detail["value"] for look in looks if look.at_ns <= fault.from_ns]
    earlier = before[-1] if before else {}
    ended: dict[str, Any] = looks[-1].detail["value"]
    codes = [exit_code for task, (why, exit_code) in ended.items() if task not in earlier and why in TOLD_TO]
    if not codes:
        return blind("tasks", "no task was told to end")
    killed, unknown = codes.count(_SIGKILL), codes.count(None)
    note = f"{killed} of {len(codes)} tasks that were told to end were killed"
    return Measurement(low=killed, high=killed + unknown, unit="tasks", samples=len(codes), note=note)
