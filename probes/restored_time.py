"""How long until customers were served from restored data: also when service never stopped in between.

A logic bug answers every request well. So the load alone cannot tell when it was over; but what it was told
can: the last acknowledgement that did not come true was still given by the broken cluster, and the first one
after it that did, by the restored one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection, recovered
from probes.readback import Incomplete
from probes.recovery_time import recovery_time
from probes.restored import losses

if TYPE_CHECKING:
    from blackstart.history import History
    from probes.restored import Losses


def restored_time(history: History) -> Measurement:
    """Measure the seconds from the fault until service held, from restored data."""
    if injection(history) is None:
        return blind("s", "nothing was injected")
    served = recovery_time(history)
    try:
        low, high, note = _switched(losses(history))
    except Incomplete as why:
        low, high, note = 0.0, math.inf, str(why)
    if not recovered(history):
        high, note = math.inf, "no runbook came to a good end"
    return Measurement(
        low=max(low, served.low), high=max(low, high, served.high), unit="s", samples=served.samples,
        note=f"{note}; {served.note}",
    )  # fmt: skip


def _switched(found: Losses) -> tuple[float, float, str]:
    """Return between which seconds after the fault the restored cluster took over, as customers saw it."""
    after = [gone.end_ns for gone in found.lost if gone.end_ns > found.fault.until_ns]
    if not after:
        return 0.0, 0.0, "nothing was acknowledged in vain after the fault"
    last_ns = max(after)
    first_ns = min((kept.end_ns for kept in found.survivors if kept.start_ns > last_ns), default=math.inf)
    low, high = (last_ns - found.fault.until_ns) / 1e9, (first_ns - found.fault.from_ns) / 1e9
    return max(0.0, low), high, f"{len(after)} transfers were acknowledged in vain after the fault"
