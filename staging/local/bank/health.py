"""Health: shallow for the load balancer, deep for people and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.bank.http import Answer, Request, Unavailable

if TYPE_CHECKING:
    from staging.local.bank.cache import Cache
    from staging.local.bank.ledger import Ledger

_IS_READER = "SELECT pg_is_in_recovery() AS yes"


class Health:
    """Says how we are."""

    def __init__(self, ledger: Ledger, cache: Cache) -> None:
        self._ledger = ledger
        self._cache = cache

    async def live(self, _: Request) -> Answer:
        """Answer GET /health/live. A task without its database is no better for being replaced."""
        return 200, {"live": True}

    async def ready(self, _: Request) -> Answer:
        """Answer GET /health/ready."""
        parts = {"writer": await self._writer(), "cache": "ok" if await self._cache.ping() else "down"}
        return 200 if set(parts.values()) == {"ok"} else 503, parts

    async def _writer(self) -> str:
        try:
            rows = await self._ledger.writer.rows(_IS_READER)
        except Unavailable:
            return "down"
        return "read-only" if rows[0]["yes"] else "ok"
