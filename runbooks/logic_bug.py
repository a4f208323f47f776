"""When did a bug begin to ruin the ledger? Read from the traces it left in the books.

Every entry says what its account held after it. Where that does not follow from the entry before, or where an
account holds something else than its last entry says, somebody wrote past the books, and did so after the
entry that still was right. The latest such entry is the last moment known to be good.
"""

from __future__ import annotations

LAST_GOOD = """
SELECT to_char(max(good_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM (
    SELECT lag(t.committed_at) OVER w AS good_at,
           e.version = lag(e.version) OVER w + 1 AND e.balance <> lag(e.balance) OVER w + e.cents AS broken
    FROM entries e JOIN transfers t ON t.key = e.transfer_key
    WINDOW w AS (PARTITION BY e.account ORDER BY e.version)
  UNION ALL
    SELECT t.committed_at, (a.balance, a.version) <> (e.balance, e.version)
    FROM accounts a
    JOIN LATERAL (SELECT * FROM entries WHERE account = a.id ORDER BY version DESC LIMIT 1) e ON true
    JOIN transfers t ON t.key = e.transfer_key
) AS links WHERE broken
"""
