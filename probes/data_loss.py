"""What the platform had acknowledged and no longer has: how many transfers, and how old they were.

Only a confirmed transfer can be lost. One whose outcome the customer never learnt may be there or not. One
that the load never wrote down may have been confirmed, at any time, and be gone: it widens what is measured.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from blackstart.history import ENDPOINTS
from blackstart.verdict import Measurement, blind
from probes.instants import injection
from probes.readback import Incomplete, acknowledged, readback
from probes.schedule import unseen, unseen_note

if TYPE_CHECKING:
    from blackstart.history import History, Transfer


def lost_records(history: History) -> Measurement:
    """Measure the number of acknowledged transfers that are gone."""
    try:
        promised, lost = _count_and_lost(history)
    except Incomplete as why:
        return blind("records", str(why))
    note = f"{len(lost)} of {promised} acknowledged transfers are gone{unseen_note(history)}"
    high = len(lost) + unseen(history)
    return Measurement(low=len(lost), high=high, unit="records", samples=promised, note=note)


def lost_seconds(history: History) -> Measurement:
    """Measure the age, at the fault, of the oldest acknowledged transfer that is gone.

    What was acknowledged after the fault and is gone has no age at the fault: it counts as 0 s here and as
    lost in `lost_records`.
    """
    try:
        promised, lost = _count_and_lost(history)
    except Incomplete as why:
        return blind("s", str(why))
    fault = injection(history)
    unknown_s, unknown = math.inf if unseen(history) else 0.0, unseen_note(history)
    if not lost or fault is None:
        note = f"nothing is gone{unknown}"
        return Measurement(low=0, high=unknown_s, unit="s", samples=promised, note=note)
    oldest = min(lost, key=lambda transfer: transfer.end_ns)
    after = sum(transfer.end_ns > fault.until_ns for transfer in lost)
    return Measurement(
        low=max(0, fault.from_ns - oldest.end_ns) / 1e9,
        high=max(unknown_s, (fault.until_ns - oldest.end_ns) / 1e9),
        unit="s",
        samples=promised,
        note=f"{len(lost)} gone, {after} of them acknowledged after the fault{unknown}",
    )


def _count_and_lost(history: History) -> tuple[int, tuple[Transfer, ...]]:
    """Return how many transfers customers were promised, and what of it is gone. Raises Incomplete."""
    fault, open_questions = injection(history), history.unsettled
    if fault is None:
        raise Incomplete("nothing was injected")
    there = {found.key for found in readback(open_questions).transfers}
    requests = history.requests
    booked = requests.ok & np.equal(requests.endpoint, ENDPOINTS.index("transfer"))
    if not (booked & requests.ended(fault.from_ns)).any():
        raise Incomplete("no transfer was acknowledged before the fault: there was nothing to lose")
    promised = acknowledged(open_questions)
    lost = tuple(transfer for key, transfer in promised.items() if key not in there)
    return open_questions.settled + len(promised), lost


def promised_and_lost(history: History) -> tuple[tuple[Transfer, ...], tuple[Transfer, ...]]:
    """Return what customers were promised, and what of it is gone. Raises Incomplete if nobody can say."""
    fault = injection(history)
    if fault is None:
        raise Incomplete("nothing was injected")
    there = {found.key for found in readback(history).transfers}
    promised = tuple(acknowledged(history).values())
    if not any(transfer.end_ns <= fault.from_ns for transfer in promised):
        raise Incomplete("no transfer was acknowledged before the fault: there was nothing to lose")
    return promised, tuple(transfer for transfer in promised if transfer.key not in there)
