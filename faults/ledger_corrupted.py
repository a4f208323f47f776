"""A logic bug in the bank's own code: it writes balances wrong and deletes transfers, in one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from blackstart import context
from blackstart.activities import activities
from blackstart.fault import Bite, Plan
from blackstart.waiting import TooLate, wait_until
from faults import aurora, aurora_safety, bank

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

# The accounts are locked in the order in which transfers lock them, so that neither waits in a circle. Both
# deletions and the update are one statement, so one transaction: replicas see all of it, or nothing.
_BUG = """
WITH victims AS (SELECT id FROM accounts WHERE id % {every} = 0 ORDER BY id FOR UPDATE),
wrong AS (UPDATE accounts SET balance = balance * {factor} WHERE id IN (SELECT id FROM victims) RETURNING id),
newest AS (SELECT key FROM transfers ORDER BY committed_at DESC LIMIT {delete}),
entries_gone AS (DELETE FROM entries WHERE transfer_key IN (SELECT key FROM newest) RETURNING transfer_key),
transfers_gone AS (DELETE FROM transfers WHERE key IN (SELECT key FROM newest) RETURNING key)
SELECT json_build_object(
    'accounts', (SELECT json_agg(id) FROM wrong),
    'deleted', (SELECT json_agg(key) FROM transfers_gone),
    'entries', (SELECT count(*) FROM entries_gone))::text
"""
_WRONG_ROWS = """
SELECT count(*) FROM accounts AS a
LEFT JOIN (SELECT account, sum(cents) AS cents FROM entries GROUP BY account) AS e ON e.account = a.id
WHERE a.id % {every} = 0 AND a.balance <> a.opening + coalesce(e.cents, 0)
"""


@dataclass(frozen=True, kw_only=True)
class LedgerCorrupted:
    """Multiply every `every`-th account's balance by `factor`, and delete the `delete` newest transfers.

    `secret` is the Secrets Manager name of credentials that may do so: those of a careless deployment.
    """

    cluster: str
    secret: str
    every: int = 7
    factor: int = 3
    delete: int = 100
    bite_within_s: float = 60.0

    def prepare(self, staging: Staging) -> Plan:
        """Look at the cluster, which may have to be replaced to heal what the bug has done."""
        return aurora_safety.plan(
            staging, self.cluster, {"wrong": f"every {self.every}th account"}, "rds-data:ExecuteStatement"
        )

    def secure(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - one target
        """Take a snapshot."""
        aurora_safety.take(staging, self.cluster, entry)

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Let the bug run once, and write down each row that it touched: nothing of them may be left."""
        done = json.loads(str(self._first(staging, _BUG)))
        context.current().events().write(
            "bug", accounts=done["accounts"] or [], deleted=done["deleted"] or []
        )

    def bite(self, staging: Staging, plan: Plan) -> Bite:  # noqa: ARG002 - the bank says it
        """The bank's own books show wrong balances, and a customer is shown one that came from the reader."""
        asked = count()
        seen: dict[str, Any] = {}

        def proof() -> bool:
            wrong = bank.wrong_balances(staging)
            ours = [number for number in sorted(wrong) if number % self.every == 0]
            seen["books"] = len(ours)
            # one account after the other: the cache may still hold what was true
            seen["customer"] = _shown(staging, wrong, ours[next(asked) % len(ours)]) if ours else None
            return bool(seen["customer"])

        try:
            wait_until(proof, within_s=self.bite_within_s, what="a reader shows a wrong balance", every_s=0.1)
        except TooLate as late:
            return Bite(confirmed=False, evidence=f"{late}; {seen}")
        return Bite(
            confirmed=True,
            evidence=f"{seen['books']} accounts do not hold what their entries say, by the writer; "
            f"{seen['customer']}",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Restore the snapshot unless the ledger has been rewound, or the bug never ran; then delete it."""
        aurora_safety.bring_back(staging, plan, entry, self.cluster)
        if self._first(staging, _WRONG_ROWS):
            aurora_safety.replace(staging, plan, entry, self.cluster)
        aurora_safety.drop(staging, entry)

    def _first(self, staging: Staging, sql: str) -> Any:
        """Return the only value of the only row of an answer."""
        statement = sql.format(every=self.every, factor=self.factor, delete=self.delete)
        records = aurora.execute(staging, self.cluster, self.secret, statement)["records"]
        return next(iter(records[0][0].values()))


def _shown(staging: Staging, wrong: dict[int, bank.Wrong], account: int) -> str | None:
    """Return what a customer is shown, if it is wrong and comes from the reader."""
    seen, books = bank.balance(staging, account), wrong[account]
    if seen is None or seen[1] != "reader":
        return None
    # transfers go on moving money meanwhile: nearer to the wrong balance than to the right one
    if abs(seen[0] - books.held) >= abs(seen[0] - books.owed):
        return None
    return f"the reader shows {seen[0]} cents for account {account}, which owns about {books.owed}"


inject, bite, heal = activities(LedgerCorrupted)
