"""When did a bug begin to ruin the ledger? Read from the traces it left in the books.

Every entry says what its account held after it. Where that does not follow from the entry before, or where an
account holds something else than its last entry says, somebody wrote past the books, and did so after the
entry that still was right. Such an account that nobody has touched since was last written by the bug itself:
its transaction's commit timestamp, if the server keeps those, is the very moment, and what was deleted from
the end of the books is then not given up with it. Each of these moments is surely not after the bug, so the
latest of them is the one to rewind to.
"""

from __future__ import annotations

LAST_GOOD = """
SELECT to_char(max(good_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM (
    SELECT lag(t.committed_at) OVER w AS good_at,
           e.version = lag(e.version) OVER w + 1 AND e.balance <> lag(e.balance) OVER w + e.cents AS broken
    FROM entries e JOIN transfers t ON t.key = e.transfer_key
    WINDOW w AS (PARTITION BY e.account ORDER BY e.version)
  UNION ALL
    SELECT greatest(t.committed_at, CASE WHEN current_setting('track_commit_timestamp') = 'on'
               THEN pg_xact_commit_timestamp(a.xmin) - interval '1 microsecond' END),
           (a.balance, a.version) <> (e.balance, e.version)
    FROM accounts a
    JOIN (SELECT DISTINCT ON (account) * FROM entries ORDER BY account, version DESC) e ON e.account = a.id
    JOIN transfers t ON t.key = e.transfer_key
) AS links WHERE broken
"""
