"""The target's books: what it acknowledged, and the ways in which somebody spoils them behind its back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ACCOUNTS = 1000
OPENING_CENTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Booked:
    """One transfer as it stands in the books; `at_ns` is when it was acknowledged."""

    key: str
    debit: int
    credit: int
    cents: int
    at_ns: int
    entries_cents: int  # what its two entries say, which is what the balances go by


@dataclass
class Ledger:
    """All transfers, in the order of their acknowledgement."""

    rows: list[Booked] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    balances: dict[int, int] = field(
        default_factory=lambda: dict.fromkeys(range(1, ACCOUNTS + 1), OPENING_CENTS)
    )

    def book(self, key: str, debit: int, credit: int, cents: int, at_ns: int) -> None:
        """Book a transfer; one with a known key is there already."""
        if key in self.keys:
            return
        self.keys.add(key)
        booked = Booked(
            key=key, debit=debit, credit=credit, cents=cents, at_ns=at_ns, entries_cents=cents
        )  # fmt: skip
        self.rows.append(booked)
        self.balances[debit] -= cents
        self.balances[credit] += cents

    def spoiled(self, how: str, before_ns: int) -> tuple[list[Booked], list[Booked]]:
        """Return the rows as somebody left them, and those that he touched; balances stay as they were.

        Raises ValueError when there is no such way.
        """
        older = [row for row in self.rows if row.at_ns < before_ns]
        if how == "nothing":
            return self.rows, []
        if how == "the last 7":
            return _without(self.rows, older[-7:]), older[-7:]
        middle = older[len(older) // 2]
        if how == "one in the middle":
            return _without(self.rows, [middle]), [middle]
        if how == "a duplicated one":
            return [*self.rows, middle], [middle]
        if how == "a changed amount":
            changed = replace(middle, cents=middle.cents + 1)
            return [changed if row is middle else row for row in self.rows], [middle]
        raise ValueError(f"nobody knows how to spoil {how!r}")


def transfers_page(rows: list[Booked], prefix: str, after: str, limit: int) -> dict[str, object]:
    """Return a page of transfers as the bank's reconciliation read gives it."""
    found = sorted((row for row in rows if row.key.startswith(prefix)), key=lambda row: row.key)
    page = [row for row in found if row.key > after][:limit]
    full = len(page) == limit and found[-1].key > page[-1].key
    return {
        "transfers": [
            [row.key, row.debit, row.credit, row.cents, 2, row.cents == row.entries_cents, row.at_ns]
            for row in page
        ],
        "next": page[-1].key if full else None,
    }


def accounts_page(rows: list[Booked], balances: dict[int, int]) -> dict[str, object]:
    """Return every account: its entries follow the rows, its balance what was booked in truth."""
    entries = dict.fromkeys(balances, 0)
    for row in rows:
        entries[row.debit] -= row.entries_cents
        entries[row.credit] += row.entries_cents
    return {
        "accounts": [
            [account, OPENING_CENTS, balance, entries[account]] for account, balance in balances.items()
        ]
    }


def _without(rows: list[Booked], gone: list[Booked]) -> list[Booked]:
    keys = {row.key for row in gone}
    return [row for row in rows if row.key not in keys]
