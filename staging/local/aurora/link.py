"""The controller's own way to one PostgreSQL server: one kept connection, every question with a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from staging.local.aurora.state import SUPERUSER

if TYPE_CHECKING:
    from collections.abc import Coroutine

# A busy event loop may run a deadline before it reads an answer that is there already.
GRACE_S = 0.02
# A timeout is an OSError. The last is what asyncpg makes of a server that hangs up during the greeting.
FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class NoAnswerError(Exception):
    """The server did not answer, not in time, or with an error."""


class Link:
    """A connection as superuser, made when first needed and again after each failure.

    One question at a time: whoever works beside the controller takes a link of its own.
    """

    def __init__(self, host: str, port: int, password: str) -> None:
        self._where: dict[str, Any] = {"host": host, "port": port, "user": SUPERUSER, "password": password}
        self._connection: Any = None

    async def ask(self, sql: str, *, within_s: float) -> Any:
        """Return the first row of the answer."""
        deadline = time.monotonic() + within_s
        try:
            if self._connection is None:
                self._connection = await connect(**self._where, database="postgres", within_s=within_s)
            return await answer(self._connection, self._connection.fetchrow(sql), deadline - time.monotonic())
        except FAILURES as error:
            self.cut()
            raise NoAnswerError(f"{self._where['host']}:{self._where['port']}: {error!r}") from error

    def cut(self) -> None:
        """Drop the connection without a word: the other end may be gone."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


async def connect(*, within_s: float, **where: Any) -> Any:
    """Return a new connection."""
    return await asyncpg.connect(**where, timeout=within_s, ssl=False)


async def answer(connection: Any, question: Coroutine[Any, Any, Any], within_s: float) -> Any:
    """Return what the question on this connection comes to; drop the connection when that takes too long.

    asyncpg's own timeout would open a second connection to cancel the query, and hang there.
    """
    task = asyncio.ensure_future(question)
    try:
        await asyncio.wait({task}, timeout=max(within_s, 0.0))
        if not task.done():
            await asyncio.wait({task}, timeout=GRACE_S)
        if task.done():
            return task.result()
        raise TimeoutError(f"no answer within {within_s:.2f} s")
    finally:
        if not task.done():
            connection.terminate()
            await asyncio.wait({task})
            task.exception()  # known: we dropped it ourselves
