"""A cluster on loopback with a few clients that write to it and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg

from staging.local.aurora import Aurora, AuroraEvent, AuroraSettings
from staging.local.aurora.fleet import Fleet
from staging.local.aurora.link import FAILURES
from staging.local.network.wires import Wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

SCHEMA = """
CREATE TABLE rows (key text PRIMARY KEY);
GRANT SELECT, INSERT ON rows TO bank;
"""
PASSWORD = "it's \\ secret"  # noqa: S105 - of a database that lives for seconds
DEADLINE_S = 60.0


class Endpoints:
    """Names, and where they lead. As a balancer does, it hangs up on those who are led elsewhere now."""

    def __init__(self) -> None:
        self.led_to: dict[str, tuple[str, int]] = {}
        self.writers: set[Any] = set()

    async def point(self, name: str, host: str, port: int) -> None:
        self.led_to[name] = (host, port)
        if name == "ledger-writer":
            for connection in self.writers:
                connection.terminate()
            self.writers.clear()

    async def unpoint(self, name: str) -> None:
        del self.led_to[name]


class Staged:
    """A running cluster and what surrounds it."""

    def __init__(self, network: Wires, directory: Path, settings: AuroraSettings) -> None:
        self.network = network
        self.endpoints = Endpoints()
        self.events: list[AuroraEvent] = []
        self.fleet = Fleet(network, directory, settings, self.endpoints, self.events.append)
        self.acknowledged: set[str] = set()
        self.failures: list[float] = []
        self.successes: list[float] = []
        self._keys = itertools.count()

    @property
    def aurora(self) -> Aurora:
        return self.fleet.cluster("ledger")

    @property
    def messages(self) -> list[tuple[str, str]]:
        return [(event.source_id, event.message) for event in self.events]

    @property
    def roles(self) -> dict[str, str]:
        return {member.id: member.role for member in self.aurora.describe().members}

    def whole(self, *, writer: str) -> bool:
        """All is well, and this is the writer."""
        state = self.aurora.describe()
        statuses = {member.status for member in state.members}
        in_sync = [member.in_sync for member in state.members]
        return (state.writer.id, in_sync, statuses) == (writer, [True, True], {"available"})

    async def connect(self, name: str = "ledger-writer") -> Any:
        host, port = self.endpoints.led_to[name]
        return await asyncpg.connect(
            host=host, port=port, user="bank", password=PASSWORD, database="ledger", timeout=2, ssl=False
        )

    async def ask(self, name: str, sql: str) -> Any:
        connection = await self.connect(name)
        try:
            return await connection.fetchval(sql)
        finally:
            connection.terminate()

    async def surviving(self) -> set[str]:
        return {row["key"] for row in await self.aurora.execute("SELECT key FROM rows")}

    async def lost(self) -> set[str]:
        acknowledged = set(self.acknowledged)
        return acknowledged - await self.surviving()

    @asynccontextmanager
    async def writing(self, clients: int = 4, pause_s: float = 0.02) -> AsyncIterator[None]:
        """Write with a few clients at once, each on a connection of its own, until the block ends."""
        tasks = [asyncio.create_task(self._write(pause_s)) for _ in range(clients)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}, ends

    async def some_more_writes(self, count: int = 40) -> None:
        enough = len(self.acknowledged) + count
        await eventually(lambda: len(self.acknowledged) >= enough)

    async def _write(self, pause_s: float) -> None:
        connection: Any = None
        try:
            while True:
                try:
                    connection = connection or await self.connect()
                    self.endpoints.writers.add(connection)
                    await self._insert(connection)
                    await asyncio.sleep(pause_s)
                except FAILURES:
                    self.failures.append(time.monotonic())
                    if connection is not None:
                        connection.terminate()
                    connection = None
                    await asyncio.sleep(0.01)
        finally:
            if connection is not None:
                connection.terminate()

    async def _insert(self, connection: Any) -> None:
        key = f"row-{next(self._keys)}"
        question = asyncio.ensure_future(connection.execute("INSERT INTO rows VALUES ($1)", key))
        try:
            await asyncio.wait({question}, timeout=2.0)
        finally:
            if not question.done():
                connection.terminate()
            await asyncio.wait({question})
            failure = question.exception()
        if failure is not None:
            raise failure
        self.acknowledged.add(key)
        self.successes.append(time.monotonic())


async def eventually(condition: Callable[[], bool], within_s: float = DEADLINE_S) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


async def _run(directory: Path, deed: Callable[[Staged], Awaitable[None]], settings: AuroraSettings) -> None:
    network = Wires()
    network.start()
    try:
        staged = Staged(network, directory, settings)
        await staged.fleet.start()
        try:
            await deed(staged)
        finally:
            await staged.fleet.stop()
    finally:
        network.stop()


def run(directory: Path, deed: Callable[[Staged], Awaitable[None]], **settings: Any) -> None:
    """Start a cluster, do something with it, stop it."""
    schema = directory / "schema.sql"
    schema.write_text(SCHEMA)
    place = directory / "ledger"
    place.mkdir()
    defaults = AuroraSettings(schema=schema, app_password=PASSWORD)
    asyncio.run(_run(place, deed, replace(defaults, **settings)))
