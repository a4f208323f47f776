"""What a restore brought back, held against what customers had been told: what is gone, and how old it was.

A restore is a return to one instant. So what was acknowledged before it is there, and what came after it
is gone, until the restored cluster serves: one stretch of time, with nothing that survived in its middle.
Whatever is gone outside that stretch is a hole, which no recovery point explains.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.data_loss import promised_and_lost
from probes.instants import Span, at_utc, injection, recovered
from probes.readback import Incomplete
from probes.schedule import unseen, unseen_note

if TYPE_CHECKING:
    from blackstart.history import Event, History, Transfer

# The customer's clock and that of the recovery point need not agree to the last second.
CLOCK_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Losses:
    """The acknowledged transfers, those that are gone, and which of these no recovery point explains."""

    fault: Span
    promised: tuple[Transfer, ...]
    lost: tuple[Transfer, ...]
    holes: tuple[Transfer, ...]
    repeated: frozenset[str] = frozenset()  # keys that were sent more than once

    @property
    def survivors(self) -> tuple[Transfer, ...]:
        """What was promised and is there, and was sent once: else nobody knows which time it was booked."""
        not_asked = {transfer.key for transfer in self.lost} | self.repeated
        return tuple(transfer for transfer in self.promised if transfer.key not in not_asked)


def losses(history: History) -> Losses:
    """Return what is gone. Raises Incomplete when the history cannot say."""
    fault = injection(history)
    if fault is None:
        raise Incomplete("nothing was injected")
    if not recovered(history):
        raise Incomplete("no runbook came to a good end: what was read back is what the drill put back")
    promised, lost = promised_and_lost(history)
    sent = Counter(transfer.key for transfer in history.transfers)
    repeated = frozenset(key for key, times in sent.items() if times > 1)
    whole = Losses(fault=fault, promised=promised, lost=lost, holes=(), repeated=repeated)
    until_ns, from_ns = _there_until_ns(history, whole), _there_from_ns(whole)
    holes = tuple(gone for gone in lost if gone.end_ns < until_ns or gone.start_ns > from_ns)
    return replace(whole, holes=holes)


def holes(history: History) -> Measurement:
    """Measure the number of acknowledged transfers whose loss no recovery point explains."""
    try:
        found = losses(history)
    except Incomplete as why:
        return blind("records", str(why))
    count, of = len(found.holes), len(found.lost)
    note = f"{count} of {of} transfers that are gone do not lie in one stretch after the recovery point"
    return Measurement(
        low=count, high=count + unseen(history), unit="records", samples=len(found.promised),
        note=f"{note}{unseen_note(history)}",
    )  # fmt: skip


def loss_by_recovery_point(history: History) -> Measurement:
    """Measure how old, at the fault, the data was to which the restore went back, in seconds.

    What is gone and older still counts for its own age: a recovery point's date may lie.
    """
    point, fault = restored_to(history), injection(history)
    if point is None or fault is None:
        return blind("s", "no restore said which recovery point it came from")
    oldest = _oldest_lost_s(history, fault)
    until_ns = max(point.until_ns, _newest_survivor_ns(history))
    return Measurement(
        low=max(0.0, (fault.from_ns - until_ns) / 1e9, oldest.low),
        high=max(0.0, (fault.until_ns - point.from_ns) / 1e9, oldest.high),
        unit="s", samples=oldest.samples,
        note=f"restored from {_last_point(history).detail['recovery_point']}; {oldest.note}",
    )  # fmt: skip


def work_lost(history: History) -> Measurement:
    """Measure the seconds of acknowledged work that are gone, before the fault and after it together.

    From the instant that the restore went back to, until the last acknowledgement that did not come true.
    """
    try:
        lost = losses(history).lost
    except Incomplete as why:
        return blind("s", str(why))
    if not lost:
        return Measurement(low=0, high=0, unit="s", samples=0, note="nothing is gone")
    point = restored_to(history)
    first_ns, last_ns = min(gone.end_ns for gone in lost), max(gone.end_ns for gone in lost)
    least_s = (last_ns - first_ns) / 1e9
    most_s = max(least_s, (last_ns - point.from_ns) / 1e9) if point else math.inf
    note = f"{len(lost)} acknowledged transfers are gone, {sum(gone.cents for gone in lost)} cents"
    return Measurement(low=least_s, high=most_s, unit="s", samples=len(lost), note=note)


def restored_to(history: History) -> Span | None:
    """Return the instant that the last restore went back to; None when none said so.

    What was committed before its beginning is in it, what was committed after its end is not.
    """
    points = [event for event in history.events if event.kind == "restore.point"]
    if not points:
        return None
    created, restorable = points[-1].detail["created_utc"], points[-1].detail["restorable_utc"]
    ends = sorted(at_utc(history, str(utc)) for utc in (created, restorable))
    return Span(from_ns=ends[0], until_ns=ends[1])


def lost_one_by_one(history: History) -> tuple[dict[str, object], ...]:
    """Return every acknowledged transfer that is gone, oldest first, for those who must call the customers.

    Raises Incomplete when the history cannot say.
    """
    found = losses(history)
    unexplained = {gone.key for gone in found.holes}
    return tuple(
        {
            "key": gone.key, "debit": gone.debit, "credit": gone.credit, "cents": gone.cents,
            "acknowledged_s": round((gone.end_ns - found.fault.from_ns) / 1e9, 3),
            "explained": gone.key not in unexplained,
        }
        for gone in sorted(found.lost, key=lambda gone: gone.end_ns)
    )  # fmt: skip


def _there_until_ns(history: History, found: Losses) -> float:
    """Return until when everything acknowledged must be there, since the restore went back no further.

    The recovery point says so; and whatever survived from before the fault proves it, whoever says what.
    """
    point = restored_to(history)
    return max(_survived_ns(found), point.from_ns - CLOCK_NS if point else -math.inf)


def _survived_ns(found: Losses) -> float:
    """Return when the newest transfer was sent that was acknowledged before the fault and survived it."""
    before = (kept.start_ns for kept in found.survivors if kept.end_ns <= found.fault.from_ns)
    return max(before, default=-math.inf)


def _there_from_ns(found: Losses) -> float:
    """Return from when on everything acknowledged must be there: the restored cluster serves."""
    first_ns = min((gone.end_ns for gone in found.lost), default=math.inf)
    served = (
        kept.end_ns
        for kept in found.survivors
        if kept.start_ns > found.fault.until_ns and kept.start_ns > first_ns
    )
    return min(served, default=math.inf)


def _oldest_lost_s(history: History, fault: Span) -> Measurement:
    """Return the age, at the fault, of the oldest acknowledged transfer that is gone."""
    try:
        found = losses(history)
    except Incomplete as why:
        return Measurement(low=0, high=math.inf, unit="s", samples=0, note=str(why))
    oldest_ns = min((gone.end_ns for gone in found.lost), default=fault.until_ns)
    return Measurement(
        low=max(0, fault.from_ns - oldest_ns) / 1e9, high=max(0, fault.until_ns - oldest_ns) / 1e9, unit="s",
        samples=len(found.promised),
        note=f"{len(found.lost)} of {len(found.promised)} acknowledged transfers are gone",
    )  # fmt: skip


def _newest_survivor_ns(history: History) -> float:
    try:
        return _survived_ns(losses(history))
    except Incomplete:
        return -math.inf


def _last_point(history: History) -> Event:
    return next(event for event in reversed(history.events) if event.kind == "restore.point")
