"""Whether the books agree with what customers were told, and with themselves.

Every transfer that was acknowledged is there exactly once, as ordered; nothing is there that was refused,
or that nobody sent; every balance is its opening plus its entries; and no money came or went in between.
A transfer whose outcome the customer never learnt may be there or not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.history import Outcome
from blackstart.verdict import Measurement, blind
from probes.readback import Incomplete, acknowledged, by_key, readback
from probes.schedule import unseen, unseen_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.history import History, Transfer
    from probes.readback import Account, Found, Readback

NOBODY_SENT = "nobody sent it"
GONE = "acknowledged, and gone"
ENTRIES = 2  # one takes, one gives


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """One way in which the books are wrong; `key` is a transfer's, or names an account."""

    kind: str
    key: str
    detail: str


def reconciliation(history: History) -> Measurement:
    """Measure the number of discrepancies."""
    try:
        found = discrepancies(history)
    except Incomplete as why:
        return blind("discrepancies", str(why))
    return count(found, history)


def count(found: tuple[Discrepancy, ...], history: History) -> Measurement:
    """Return how many discrepancies there are.

    A worker of the load that was killed, or that counted more than it recorded, has sent what nobody seems to
    have sent: that is then no certain discrepancy. And of what it sent more may be gone.
    """
    gaps = unseen(history)
    excusable = sum(d.kind == NOBODY_SENT for d in found) if gaps else 0
    kinds = ", ".join(f"{kind}: {count}" for kind, count in Counter(d.kind for d in found).most_common())
    left = history.unsettled
    return Measurement(
        low=len(found) - excusable, high=len(found) + gaps, unit="discrepancies",
        samples=left.settled + len(left.final_reads),
        note=f"{kinds or 'the books agree'}{unseen_note(history)}",
    )  # fmt: skip


def discrepancies(history: History) -> tuple[Discrepancy, ...]:
    """Return everything that is wrong with the books. Raises Incomplete when they were not read whole."""
    history = history.unsettled
    books = readback(history)
    if not books.accounts:
        raise Incomplete("the final reads hold no account")
    return (
        *_not_once(history, books),
        *_not_ordered(history, books),
        *_not_balanced(books.accounts),
        *_not_conserved(books.accounts),
    )


def _not_once(history: History, books: Readback) -> Iterator[Discrepancy]:
    """Find acknowledged transfers that are gone, altered, or there more than once."""
    times = Counter(found.key for found in books.transfers)
    there = {found.key: found for found in books.transfers}
    for key, transfer in acknowledged(history).items():
        if key not in there:
            yield Discrepancy(kind=GONE, key=key, detail=_order(transfer))
        elif _order(there[key]) != _order(transfer):
            told = f"ordered {_order(transfer)}, booked {_order(there[key])}"
            yield Discrepancy(kind="not as ordered", key=key, detail=told)
    for key, count in times.items():
        if count > 1:
            yield Discrepancy(kind="booked more than once", key=key, detail=f"{count} times")


def _not_ordered(history: History, books: Readback) -> Iterator[Discrepancy]:
    """Find transfers that should not be there, and those whose entries are not a pair."""
    attempts = by_key(history)
    for found in books.transfers:
        tried = attempts.get(found.key)
        if tried is None:
            yield Discrepancy(kind=NOBODY_SENT, key=found.key, detail=_order(found))
        elif all(attempt.outcome is Outcome.FAILED for attempt in tried):
            told = ", ".join(f"{attempt.reason} {attempt.status}".strip(" 0") for attempt in tried)
            yield Discrepancy(kind="refused, and there", key=found.key, detail=f"customer was told: {told}")
        if found.entries != ENTRIES or not found.entries_ok:
            detail = f"{found.entries} entries, which {'fit' if found.entries_ok else 'do not fit'}"
            yield Discrepancy(kind="entries are not a pair", key=found.key, detail=detail)


def _not_balanced(accounts: tuple[Account, ...]) -> Iterator[Discrepancy]:
    for account in accounts:
        if account.balance != account.opening + account.entries_sum:
            detail = f"{account.opening} + {account.entries_sum} is not {account.balance}"
            yield Discrepancy(kind="balance is not its entries", key=f"account {account.id}", detail=detail)


def _not_conserved(accounts: tuple[Account, ...]) -> Iterator[Discrepancy]:
    opened = sum(account.opening for account in accounts)
    held = sum(account.balance for account in accounts)
    if opened != held:
        detail = f"{held - opened:+d} cents between opening and now"
        yield Discrepancy(kind="money is not conserved", key="all accounts", detail=detail)


def _order(transfer: Transfer | Found) -> str:
    return f"{transfer.cents} cents from {transfer.debit} to {transfer.credit}"
