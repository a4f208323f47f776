"""What the ledger holds, in bulk, from the writer: for those who check the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.bank.http import Answer, Refusal, Request

if TYPE_CHECKING:
    from staging.local.bank.ledger import Ledger

LIMIT_MAX = 5000

# keys are compared bytewise, so all that begin with $1 lie between it and it with the last character there is
_TRANSFERS = """
SELECT t.key, t.debit, t.credit, t.cents, e.entries, e.balanced,
       (extract(epoch FROM t.committed_at) * 1000000000)::bigint
FROM (SELECT * FROM transfers WHERE key >= $1 AND key < $1 || chr(1114111) AND key > $2
      ORDER BY key LIMIT $3) AS t,
LATERAL (SELECT count(*) AS entries,
                count(*) = 2 AND bool_and(cents = CASE account WHEN t.debit THEN -t.cents
                                                               WHEN t.credit THEN t.cents END) AS balanced
         FROM entries WHERE transfer_key = t.key) AS e
ORDER BY t.key
"""
_ACCOUNTS = """
SELECT a.id, a.opening, a.balance, coalesce(e.cents, 0)::bigint
FROM accounts AS a LEFT JOIN (SELECT account, sum(cents) AS cents FROM entries GROUP BY account) AS e
  ON e.account = a.id
ORDER BY a.id
"""


class Reconciliation:
    """Lists the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def transfers(self, request: Request) -> Answer:
        """Answer GET /reconciliation/transfers?prefix=P&after=KEY&limit=N."""
        asked = request.parameters()
        limit = _limit(asked.get("limit", str(LIMIT_MAX)))
        rows = await self._ledger.listing.rows(
            _TRANSFERS, asked.get("prefix", ""), asked.get("after", ""), limit
        )
        following = rows[-1]["key"] if len(rows) == limit else None
        return 200, {"transfers": [tuple(row) for row in rows], "next": following}

    async def accounts(self, _: Request) -> Answer:
        """Answer GET /reconciliation/accounts: one statement, so one snapshot."""
        rows = await self._ledger.listing.rows(_ACCOUNTS)
        return 200, {"accounts": [tuple(row) for row in rows]}


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:6]) <= LIMIT_MAX:
        raise Refusal(400, f"limit must be a whole number from 1 to {LIMIT_MAX}")
    return int(text)
