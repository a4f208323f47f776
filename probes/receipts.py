"""Whether every payment has its receipt, and every receipt its payment.

A receipt may be there more than once, for whoever asks again is told again; but never for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.history import Outcome
from blackstart.verdict import Measurement, blind
from probes.instants import injection
from probes.readback import Incomplete, readback
from probes.schedule import unseen, unseen_note

if TYPE_CHECKING:
    from blackstart.history import History


def wrong_receipts(history: History) -> Measurement:
    """Count the acknowledged transfers without a receipt, and the receipts of transfers not there.

    A transfer that the load never wrote down may have been acknowledged, and lack its receipt.
    """
    records = history.receipts
    if injection(history) is None:
        return blind("receipts", "nothing was injected")
    if not any(record["kind"] == "complete" for record in records):
        reasons = (record["why"] for record in records if record["kind"] == "incomplete")
        return blind("receipts", f"the receipts were not all read: {next(reasons, 'nobody read them')}")
    try:
        booked = {found.key for found in readback(history).transfers}
    except Incomplete as why:
        return blind("receipts", str(why))
    given = {key for record in records if record["kind"] == "object" for key in record["keys"]}
    promised = {transfer.key for transfer in history.transfers if transfer.outcome is Outcome.OK}
    missing, idle = promised - given, given - booked
    count = len(missing) + len(idle)
    note = f"{len(missing)} of {len(promised)} receipts are missing, {len(idle)} are for transfers not there"
    return Measurement(
        low=count, high=count + unseen(history), unit="receipts", samples=len(promised),
        note=f"{note}{unseen_note(history)}",
    )  # fmt: skip
