"""Look at a server: whether it answers, whether it is the writer, how far its standby has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from staging.local.aurora.link import Link

# Standbys are called by their place; a backup under way is none. A stale row of a standby that went dark
# may linger beside its new one: take the one that is further.
SQL = """
SELECT pg_is_in_recovery() AS in_recovery,
       CASE WHEN NOT pg_is_in_recovery()
            THEN pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint END AS flushed,
       standby.state, standby.sync_state,
       pg_wal_lsn_diff(standby.flush_lsn, '0/0')::bigint AS arrived
FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
    SELECT * FROM pg_stat_replication
    WHERE application_name LIKE 'member-%'
    ORDER BY (state = 'streaming') DESC, flush_lsn DESC NULLS LAST LIMIT 1) AS standby ON true
"""


@dataclass(frozen=True)
class Look:
    """What one look at a server showed. Positions are bytes of write-ahead log."""

    in_recovery: bool
    flushed: int  # on the writer's own disk; 0 on a reader
    streaming: bool  # a standby is connected, and past catching up
    awaited: bool  # commits wait for it, as far as its sender knows
    arrived: int  # on the standby's disk


async def look(link: Link, *, within_s: float) -> Look:
    """Look once. Raise `NoAnswerError` when nothing comes back in time."""
    row = await link.ask(SQL, within_s=within_s)
    return Look(
        in_recovery=row["in_recovery"],
        flushed=row["flushed"] or 0,
        streaming=row["state"] == "streaming",
        awaited=row["sync_state"] in {"quorum", "sync"},
        arrived=row["arrived"] or 0,
    )
