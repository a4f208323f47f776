"""What was read back from the platform after the drill: its transfers and its accounts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.history import Outcome, Transfer

if TYPE_CHECKING:
    from blackstart.history import History


@dataclass(frozen=True, kw_only=True)
class Found:
    """One transfer as the ledger holds it."""

    key: str
    debit: int
    credit: int
    cents: int
    entries: int
    entries_ok: bool  # one takes what the other gives, from and to the right accounts


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account as the ledger holds it, all in cents."""

    id: int
    opening: int
    balance: int
    entries_sum: int


@dataclass(frozen=True, kw_only=True)
class Readback:
    """Everything that was read back, whole."""

    transfers: tuple[Found, ...]
    accounts: tuple[Account, ...]


class Incomplete(Exception):
    """The final reads did not come to their end: what they lack may be there nevertheless."""


def readback(history: History) -> Readback:
    """Return what was read back. Raises Incomplete unless all of it was."""
    records = history.final_reads
    if not any(record["kind"] == "complete" for record in records):
        reasons = (record["why"] for record in records if record["kind"] == "incomplete")
        raise Incomplete(f"the final reads are not complete: {next(reasons, 'they never ended')}")
    return Readback(
        transfers=tuple(_found(record) for record in records if record["kind"] == "transfer"),
        accounts=tuple(_account(record) for record in records if record["kind"] == "account"),
    )


def by_key(history: History) -> dict[str, tuple[Transfer, ...]]:
    """Return the attempts at each transfer, in order; a retry has the key of what it repeats."""
    attempts: dict[str, list[Transfer]] = defaultdict(list)
    for transfer in history.transfers:
        attempts[transfer.key].append(transfer)
    return {key: tuple(tried) for key, tried in attempts.items()}


def acknowledged(history: History) -> dict[str, Transfer]:
    """Return the first answer that promised each transfer."""
    promised: dict[str, Transfer] = {}
    for transfer in sorted(history.transfers, key=lambda transfer: transfer.end_ns):
        if transfer.outcome is Outcome.OK:
            promised.setdefault(transfer.key, transfer)
    return promised


def _found(record: dict[str, Any]) -> Found:
    return Found(**{name: record[name] for name in Found.__dataclass_fields__})


def _account(record: dict[str, Any]) -> Account:
    return Account(**{name: record[name] for name in Account.__dataclass_fields__})
