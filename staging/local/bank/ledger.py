"""The ledger's database: a pool of connections for each endpoint, made to outlive a failover."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import asyncpg

from staging.local.bank.defects import NeverReplaced
from staging.local.bank.http import Unavailable
from staging.local.bank.log import Dependency

if TYPE_CHECKING:
    from staging.local.bank.secret import Secret
    from staging.local.bank.settings import Address, Settings

ACQUIRE_S = 1.4  # includes connecting, when there is no open connection
STATEMENT_S = 1.5
READER_ACQUIRE_S = 0.4  # short enough that the writer can still be asked instead
READER_STATEMENT_S = 0.6
READER_REST_S = 1.0  # between two attempts at a reader that has failed
LISTING_S = 10.0
NEVER_S = 86_400.0  # of a task that has no patience of its own, and so has all of it

# the last is what asyncpg raises when the server dies between two messages of one statement
_TROUBLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_READ_ONLY = "25006"  # what was the writer is now a reader
_DEAD = ("08", "57P0", _READ_ONLY)  # SQLSTATEs that tell of the connection rather than of the statement


class ConnectionLost(Unavailable):
    """The connection turned out to be dead; another one may well work at once."""


class _Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that never asks the server to cancel a statement; `Endpoint` throws it away instead.

    Cancelled, a commit that waits for its standby would give up the wait and stay, unreplicated: the
    next retry of its key would find it and acknowledge what a failover then loses. And on a dark
    network the request to cancel would hang as well.
    """

    generation = 0

    def _cancel_current_command(self, waiter: object, cancel_waiter: object = None) -> None:
        """Do nothing."""


class Endpoint:
    """One endpoint of the cluster; behind it the instance may change at any time."""

    def __init__(
        self,
        name: str,
        address: Address,
        settings: Settings,
        secret: Secret,
        *,
        connections: int,
        acquire_s: float = ACQUIRE_S,
        statement_s: float = STATEMENT_S,
    ) -> None:
        self._dependency = Dependency(f"ledger {name}")
        self._secret = secret
        self._acquire_s = acquire_s
        self._statement_s = statement_s
        self._generation = 0
        self._connections = connections
        self._defects = settings.defects
        if settings.defects.no_timeout_on_database:
            self._acquire_s = self._statement_s = acquire_s = statement_s = NEVER_S
        self._pool = asyncpg.create_pool(
            host=address.host,
            port=address.port,
            database=settings.database,
            ssl=False,  # the VPC of the local staging speaks plainly
            min_size=0,
            max_size=connections,
            connect=self._connect,
            reset=_keep_session,
            connection_class=NeverReplaced if settings.defects.pool_never_reconnects else _Connection,
            timeout=acquire_s,
            server_settings={
                "application_name": settings.task,
                "statement_timeout": f"{statement_s:.3f}s",
                "jit": "off",
            },
        )

    async def open(self) -> None:
        """Connect as far as the database lets us, so that the first customers do not wait for it."""
        await self._pool
        hellos = [self.rows("SELECT pg_sleep(0.01)") for _ in range(self._connections)]
        await asyncio.gather(*hellos, return_exceptions=True)

    def close(self) -> None:
        """Drop all connections."""
        self._pool.terminate()

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Run one statement; a PostgresError is what `bank_transfer` raised, trouble is Unavailable."""
        connection = await self._acquire()
        generation: int = connection.generation
        leaks = False
        try:
            rows: list[Any] = await connection.fetch(query, *arguments, timeout=self._statement_s)
        except BaseException as error:
            if _is_answer(error):
                raise
            leaks = self._defects.connections_leak
            await self._discard(connection, generation, error)
            if isinstance(error, _TROUBLE):
                raise _translated(error) from error
            raise
        finally:
            if not leaks:
                await self._pool.release(connection)
        self._dependency.answered()
        return rows

    async def _acquire(self) -> Any:
        try:
            async with asyncio.timeout(self._acquire_s):
                return await self._pool.acquire()
        except _TROUBLE as error:
            self._dependency.failed(error)
            raise Unavailable(f"no connection to the ledger: {error!r}") from error

    async def _connect(self, *arguments: object, **options: object) -> Any:
        login = await self._secret.login()
        try:
            connection = await asyncpg.connect(*arguments, **options, **login._asdict())
        except asyncpg.InvalidAuthorizationSpecificationError:
            login = await self._secret.renewed(login)
            connection = await asyncpg.connect(*arguments, **options, **login._asdict())
        connection.generation = self._generation
        return connection

    async def _discard(self, connection: Any, generation: int, error: BaseException) -> None:
        """Throw the connection away, and with the first broken one all of its age: they share its fate."""
        self._dependency.failed(error)
        if self._defects.exits_without_database and _is_dead(error):
            os._exit(1)
        if self._defects.pool_never_reconnects or self._defects.connections_leak:
            return
        with suppress(asyncpg.InterfaceError):  # when it was closed, it has left the pool by itself
            connection.terminate()
        if generation == self._generation and not _is_statements_fault(error):
            self._generation += 1
            await self._pool.expire_connections()


class Ledger:
    """The cluster as the bank uses it."""

    def __init__(self, settings: Settings, secret: Secret) -> None:
        self.writer = Endpoint("writer", settings.writer, settings, secret, connections=6)
        # a pool of its own, so that a long listing takes no payment's connection
        self.listing = Endpoint(
            "listing", settings.writer, settings, secret, connections=1, statement_s=LISTING_S
        )
        self._reader = Endpoint(
            "reader",
            settings.reader,
            settings,
            secret,
            connections=3,
            acquire_s=READER_ACQUIRE_S,
            statement_s=READER_STATEMENT_S,
        )
        self._reader_failed_at: float | None = None

    async def open(self) -> None:
        """Make the pools ready."""
        endpoints = (self.writer, self.listing, self._reader)
        await asyncio.gather(*(endpoint.open() for endpoint in endpoints))

    def close(self) -> None:
        """Drop all connections."""
        for endpoint in (self.writer, self.listing, self._reader):
            endpoint.close()

    async def read(self, query: str, *arguments: object) -> tuple[list[Any], str]:
        """Ask the reader, or else the writer; return the rows and which of them answered."""
        if not self._reader_rests(time.monotonic()):
            try:
                rows = await self._reader.rows(query, *arguments)
            except Unavailable:
                self._reader_failed_at = time.monotonic()
            else:
                self._reader_failed_at = None
                return rows, "reader"
        return await self.writer.rows(query, *arguments), "writer"

    def _reader_rests(self, now: float) -> bool:
        if self._reader_failed_at is None:
            return False
        if now - self._reader_failed_at < READER_REST_S:
            return True
        self._reader_failed_at = now  # one of us tries, the others keep to the writer meanwhile
        return False


async def _keep_session(connection: object) -> None:
    """Spare the round trip that asyncpg's own reset costs: single statements leave nothing behind."""


def _is_answer(error: BaseException) -> bool:
    return isinstance(error, asyncpg.PostgresError) and str(error.sqlstate).startswith("BK")


def _is_dead(error: BaseException) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate).startswith(_DEAD)
    return isinstance(error, (ConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError))


def _is_statements_fault(error: BaseException) -> bool:
    """Whether a live server refused this very statement: a timeout, a deadlock, an error of ours."""
    return isinstance(error, asyncpg.PostgresError) and not _is_dead(error)


def _translated(error: BaseException) -> Unavailable:
    kind = ConnectionLost if _is_dead(error) else Unavailable
    return kind(f"the ledger did not answer: {error!r}")
