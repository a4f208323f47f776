"""Whether anything of a logic bug is left in the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import recovered
from probes.readback import Incomplete, readback

if TYPE_CHECKING:
    from blackstart.history import History


def bug_gone(history: History) -> Measurement:
    """Measure the rows that the bug wrote or deleted, and that still are so.

    A balance that the bug wrote is gone when the account holds what its entries say. A transfer that it
    deleted is back when it is there; only those that this drill's customers sent are read back.
    """
    bug = history.event("bug")
    if bug is None:
        return blind("rows", "no bug was recorded")
    if not recovered(history):
        return blind("rows", "no runbook came to a good end: what was read back is what the drill put back")
    try:
        books = readback(history)
    except Incomplete as why:
        return blind("rows", str(why))
    touched = set(bug.detail["accounts"])
    sent = {transfer.key for transfer in history.transfers}
    deleted = sent & set(bug.detail["deleted"])
    if not touched <= {account.id for account in books.accounts}:
        return blind("rows", "accounts that the bug wrote were not read back")
    wrong = sum(a.balance != a.opening + a.entries_sum for a in books.accounts if a.id in touched)
    missing = len(deleted - {found.key for found in books.transfers})
    note = f"{wrong} of {len(touched)} balances still wrong, {missing} of {len(deleted)} transfers still gone"
    return Measurement(
        low=wrong + missing, high=wrong + missing, unit="rows", samples=len(touched) + len(deleted), note=note
    )
