"""Faults of the bank itself, planted on purpose: a drill that does not find them is no good."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import asyncpg


@dataclass(frozen=True, kw_only=True)
class Defects:
    """Which defects this task has; a sound one has none."""

    pool_never_reconnects: bool = False  # a broken connection to the ledger is kept and used for ever
    connections_leak: bool = False  # one that failed is never given back to its pool
    no_timeout_on_database: bool = False  # waits for the ledger for ever
    exits_without_database: bool = False  # a lost connection to the ledger ends the task
    balances_need_the_writer: bool = False  # nobody sees a balance while the writer is away
    acks_before_commit: bool = False  # answers 201 before the transaction commits
    acks_in_spite_of_errors: bool = False  # answers 201 whatever the ledger said
    retry_without_idempotency_key: bool = False  # repeats what failed under a new key
    balances_cached_for_ever: bool = False  # no transfer updates the cache, and nothing in it expires
    stale_cache_after_failover: bool = False  # transfers alone renew it, and not once the writer was away
    ignores_sigterm: bool = False  # goes on as if nothing were until it is killed
    no_drain_on_sigterm: bool = False  # exits at once, whatever it has begun
    no_deregistration_on_sigterm: bool = False  # ends while the load balancer still sends it requests
    sessions_deleted_on_sigterm: bool = False  # ends the sessions that it opened, though others serve them
    sessions_throttled_at_first: bool = False  # the session store cannot take the first seconds of load
    receipts_lost_on_sigterm: bool = False  # what waits for its upload when the task ends is lost
    receipts_before_commit: bool = False  # receipts for what the ledger then refuses
    receipts_share_names: bool = False  # every task uploads under the same names
    deletes_receipts_on_retry: bool = False  # a repeated key takes back the receipt that waits for its upload
    health_check_always_ok: bool = False  # serves nobody, and /health/live says that all is well
    starts_slowly: bool = False  # its image takes 90 s to come
    fails_to_start: bool = False  # it crashes at once

    @classmethod
    def parse(cls, names: str) -> Self:
        """Read a comma list such as `pool-never-reconnects,acks-before-commit`."""
        wanted = {name.strip().replace("-", "_") for name in names.split(",") if name.strip()}
        if unknown := wanted - {field.name for field in fields(cls)}:
            raise ValueError(f"DEFECTS: unknown {', '.join(sorted(unknown))}")
        return cls(**dict.fromkeys(wanted, True))


class NeverReplaced(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that its pool takes for alive whatever happens to it."""

    generation = 0

    def is_closed(self) -> bool:
        """Never true, so that the pool hands it out again."""
        return False

    def terminate(self) -> None:
        """Stay."""

    def _cleanup(self) -> None:
        """Stay in the pool, too."""

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        """Forget about the command, so that the next caller waits just as long."""
        for waiting in (waiter, cancel_waiter):
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
