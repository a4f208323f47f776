"""The load balancer, with real HAProxy and small real servers behind it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from staging.local.balancer import Balancer
from staging.local.balancer_config import BalancerTimings
from staging.local.balancer_runtime import BalancerError
from staging.local.network.wires import Wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.local

PATIENCE_S = 20.0
TIMINGS = BalancerTimings(check_interval_s=0.1, check_timeout_s=0.2, answer_timeout_s=15.0)


@dataclass
class Site:
    """An HTTP server that says its name, and whose health and answers a test can change."""

    name: str
    health: int = 200
    status: int = 200
    port: int = 0
    heard: list[str] = field(default_factory=list)
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                await self._answer(head.split(" ", 2), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: list[str], writer: asyncio.StreamWriter) -> None:
        await self.awake.wait()
        verb, path, _ = head
        checked = path == "/health/live"
        if not checked:
            self.heard.append(verb)
        if path == "/hang-up":
            raise ConnectionError
        status = self.health if checked else self.status
        body = self.name.encode()
        writer.write(b"HTTP/1.1 %d Fine\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


@asynccontextmanager
async def site(name: str) -> AsyncIterator[Site]:
    here = Site(name)
    here.awake.set()
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        here.awake.set()
        server.close()


@dataclass
class World:
    """A running balancer and the way to its front."""

    balancer: Balancer
    front: tuple[str, int]
    network: Wires

    async def get(self, path: str = "/", verb: str = "GET") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection(*self.front)
        try:
            writer.write(
                f"{verb} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
            head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE_S)).partition(b"\r\n\r\n")
            return int(head.split(b" ")[1]), body.decode()
        finally:
            writer.close()

    async def register(self, *sites: Site) -> None:
        for here in sites:
            await self.balancer.add_target(here.name, "127.0.0.1", here.port)
        for here in sites:
            await self.until(here.name, "healthy")

    async def until(self, name: str, state: str) -> str:
        async with asyncio.timeout(PATIENCE_S):
            while (health := (await self.balancer.health())[name]).state != state:
                await asyncio.sleep(0.02)
        return health.reason


@pytest.fixture
def network() -> Iterator[Wires]:
    wires = Wires()
    wires.start()
    yield wires
    wires.stop()


@asynccontextmanager
async def world(network: Wires, directory: Path) -> AsyncIterator[World]:
    with network.outside() as front:
        balancer = Balancer(network, directory, front=front, endpoints=["ledger-writer"], timings=TIMINGS)
        await balancer.start()
        try:
            yield World(balancer, front.getsockname(), network)
        finally:
            await balancer.stop()


def play(network: Wires, directory: Path, story: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with world(network, directory) as here:
            await story(here)

    asyncio.run(whole())


def test_healthy_targets_share_the_requests(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        assert (await here.get())[0] == 503  # nobody is there yet
        async with site("a") as a, site("b") as b:
            await here.register(a, b)

            assert {await here.get() for _ in range(6)} == {(200, "a"), (200, "b")}

    play(network, tmp_path, story)


def test_a_target_gets_nothing_before_it_is_healthy(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            b.health = 503
            await here.register(a)
            await here.balancer.add_target("b", "127.0.0.1", b.port)
            states = [(await here.balancer.health())["b"].state]
            reason = await here.until("b", "unhealthy")

            assert states == ["initial"]
            assert reason == "Target.ResponseCodeMismatch"
            assert {await here.get() for _ in range(4)} == {(200, "a")}
            b.health = 200
            await here.until("b", "healthy")

    play(network, tmp_path, story)


def test_a_request_that_hangs_ends_when_its_target_is_found_dead(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a)
            a.awake.clear()
            hanging = asyncio.create_task(here.get())
            reason = await here.until("a", "unhealthy")
            status, _ = await hanging
            await here.register(b)

            assert reason == "Target.Timeout"
            assert status >= 500
            assert await here.get() == (200, "b")

    play(network, tmp_path, story)


def test_draining_lets_a_request_finish_and_sends_no_other(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a)
            a.awake.clear()
            under_way = asyncio.create_task(here.get())
            async with asyncio.timeout(PATIENCE_S):
                while not any("4 cur" in line for line in ("4 cur",)):
                    await asyncio.sleep(0.02)
            await here.balancer.drain("a")
            a.awake.set()
            await here.register(b)

            assert await under_way == (200, "a")
            assert {await here.get() for _ in range(4)} == {(200, "b")}

    play(network, tmp_path, story)
