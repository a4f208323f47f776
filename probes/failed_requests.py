"""How many requests were not answered well, whenever it was: a graceful end costs nobody anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import injection, measured_from_ns
from probes.schedule import unseen, unseen_note

if TYPE_CHECKING:
    from blackstart.history import History


def failed_requests(history: History) -> Measurement:
    """Count the requests that were not answered well, from the baseline to the end of the load.

    Arrivals that the load generator could not send, or sent and never recorded, may have been answered well
    or not.
    """
    if injection(history) is None:
        return blind("requests", "nothing was injected")
    requests = history.requests.between(measured_from_ns(history))
    if not len(requests):
        return blind("requests", "no request was recorded")
    unsent = int(requests.dropped.sum())
    failed = int((~requests.ok).sum()) - unsent
    note = f"{failed} of {len(requests)} requests were not answered well"
    if unsent:
        note += f", {unsent} were never sent"
    return Measurement(
        low=failed, high=failed + unsent + unseen(history), unit="requests", samples=len(requests),
        note=f"{note}{unseen_note(history)}",
    )  # fmt: skip
