"""Whether every fault really took effect: a drill without one proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind

if TYPE_CHECKING:
    from blackstart.history import History


def unbitten(history: History) -> Measurement:
    """Count the injected faults that were not proven to have taken effect.

    One whose proof was looked for and not found did not bite; one that nobody looked for may have.
    """
    injected = sum(event.kind == "inject.start" for event in history.events)
    bites = [event.detail for event in history.events if event.kind == "bite"]
    if not injected:
        return blind("faults", "nothing was injected")
    if not bites:
        return blind("faults", "nobody looked whether the fault bit")
    idle = [bite for bite in bites if not bite["confirmed"]]
    unseen = max(0, injected - len(bites))
    said = "; ".join(str(bite["evidence"]) for bite in idle or bites)
    note = f"{said}; nobody looked at {unseen} more" if unseen else said
    return Measurement(low=len(idle), high=len(idle) + unseen, unit="faults", samples=len(bites), note=note)
