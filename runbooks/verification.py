"""Is a restored ledger sound? Asked of the restored cluster itself, by SQL, before anybody trusts it.

A job that says COMPLETED proves nothing: a damaged page, a table that was left out or a missing end of the
write-ahead log restore without complaint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbooks.data_api import Sql

TABLES = {
    "accounts": "id >= 0",
    "transfers": "key >= ''",
    "entries": "transfer_key >= ''",
}  # all rows, by index
_TABLES_THERE = """
SELECT count(*) FROM pg_tables
WHERE schemaname = 'public' AND tablename IN ('accounts', 'transfers', 'entries')
"""
_HALF_TRANSFERS = """
SELECT 2 * (SELECT count(*) FROM transfers) - count(*)
FROM entries e JOIN transfers t ON t.key = e.transfer_key
WHERE (e.account, e.cents) IN ((t.debit, -t.cents), (t.credit, t.cents))
"""
_STRAY_ENTRIES = """
SELECT count(*) FROM entries e LEFT JOIN transfers t ON t.key = e.transfer_key
WHERE t.key IS NULL OR (e.account, e.cents) NOT IN ((t.debit, -t.cents), (t.credit, t.cents))
"""
_WRONG_BALANCES = """
SELECT count(*) FROM accounts a
LEFT JOIN (SELECT account, sum(cents) AS moved, count(*) AS times FROM entries GROUP BY account) e
    ON e.account = a.id
WHERE a.balance <> a.opening + coalesce(e.moved, 0) OR a.version <> coalesce(e.times, 0)
"""
# No transaction outlives a statement here, so the planner is told within one which way to go.
_BY_INDEX = """
DO $$ DECLARE by_heap bigint; by_index bigint; BEGIN
    SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
    SELECT count(*) INTO by_heap FROM {table};
    SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_seqscan = off;
    SELECT count(*) INTO by_index FROM {table} WHERE {all_rows};
    IF by_heap <> by_index THEN
        RAISE EXCEPTION '{table}: % rows, % by the index', by_heap, by_index;
    END IF;
END $$
"""
_HAS_AMCHECK = """
SELECT count(*) FROM pg_proc
WHERE proname = 'bt_index_check' AND pronargs = 2 AND has_function_privilege(oid, 'execute')
"""
_AMCHECK = """
SELECT count(bt_index_check(i.indexrelid::regclass, true)) > 0
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE c.relnamespace = 'public'::regnamespace AND a.amname = 'btree' AND i.indrelid = '{table}'::regclass
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question with the only answer that is good."""

    asks: str
    sql: str
    wanted: Any  # None for a statement that raises when something is wrong, and answers nothing

    def problem(self, sql: Sql) -> str | None:
        """Ask it; return what is wrong, None when nothing is. A question that fails is a problem too."""
        try:
            rows = sql.rows(self.sql)
        except ClientError as error:
            return f"{self.asks}: {' '.join(str(error).split())}"
        answer = rows[0][0] if rows else None
        return None if answer == self.wanted else f"{self.asks}: {answer}, must be {self.wanted}"


CHECKS = (
    Check(asks="tables of the ledger that are there", sql=_TABLES_THERE, wanted=len(TABLES)),
    Check(asks="there are accounts", sql="SELECT count(*) > 0 FROM accounts", wanted=True),
    Check(asks="entries that transfers lack", sql=_HALF_TRANSFERS, wanted=0),
    Check(asks="entries that belong to no transfer", sql=_STRAY_ENTRIES, wanted=0),
    Check(asks="accounts whose balance is not opening plus entries", sql=_WRONG_BALANCES, wanted=0),
    Check(asks="money is conserved", sql="SELECT sum(balance) = sum(opening) FROM accounts", wanted=True),
    *(
        Check(
            asks=f"every page of {table} can be read",
            sql=f"SELECT count(hashtext(r::text)) = count(*) FROM {table} r",  # noqa: S608 - our own tables
            wanted=True,
        )
        for table in TABLES
    ),
    *(
        Check(
            asks=f"the index of {table} leads to all its rows",
            sql=_BY_INDEX.format(table=table, all_rows=all_rows),
            wanted=None,
        )
        for table, all_rows in TABLES.items()
    ),
)
# table by table: the Data API ends a statement after 45 s
_INDEXES = tuple(
    Check(asks=f"amcheck finds the indexes of {table} sound", sql=_AMCHECK.format(table=table), wanted=True)
    for table in TABLES
)


def problems(sql: Sql, on_question: Callable[[int, int, str], None] = lambda *_: None) -> list[str]:
    """Ask every question; return what is wrong with this ledger.

    Before each, `on_question` is told its number, how many there are, and what it asks.
    """
    checks = (*CHECKS, *_INDEXES) if sql.one(_HAS_AMCHECK) else CHECKS
    found = []
    for number, check in enumerate(checks, start=1):
        on_question(number, len(checks), check.asks)
        if problem := check.problem(sql):
            found.append(problem)
    return found


def newest(sql: Sql) -> str:
    """Return the instant of the newest transfer, in words when there is none."""
    return str(sql.one("SELECT coalesce(max(committed_at)::text, 'no transfer') FROM transfers"))
