"""The cache keeps serving: real Valkey nodes, a real balancer, and a primary that goes away."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from redis.exceptions import RedisError

from staging.local.balancer import Balancer
from staging.local.cache import Cache, CacheEvent, CacheTimings
from staging.local.network.wires import Wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.local

PATIENCE_S = 30.0
# slow enough that a busy machine is not taken for a dead node
TIMINGS = CacheTimings(probe_interval_s=0.1, probe_timeout_s=1.0, misses=2)


class World:
    """A running cache and what it reported."""

    def __init__(self, network: Wires, directory: Path, balancer: Balancer) -> None:
        self.network = network
        self.events: list[CacheEvent] = []
        self.cache = Cache(network, balancer, directory, timings=TIMINGS, on_change=self.events.append)
        self.place = network.route("app-b", balancer.endpoint("cache-primary"))

    async def serves(self) -> None:
        """Wait until a client in AZ b can write and read."""
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(self._writes):  # noqa: ASYNC110 - see eventually
                await asyncio.sleep(0.02)

    async def whole(self) -> None:
        await eventually(lambda: {node.status for node in self.cache.describe().nodes} == {"available"})

    def kinds(self) -> list[tuple[str, str]]:
        return [(event.kind, event.node) for event in self.events]

    def _writes(self) -> bool:
        host, port = self.place
        client = Redis(host=host, port=port, socket_timeout=1, socket_connect_timeout=1)
        try:
            client.set("balance:17", "100")
            return bool(client.get("balance:17") == b"100")
        except RedisError:
            return False
        finally:
            client.close()


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    network = Wires()
    network.start()
    with network.outside() as front:
        balancer = Balancer(network, directory, front=front, endpoints=["cache-primary"])
        await balancer.start()
        here = World(network, directory, balancer)
        try:
            await here.cache.start()
            yield here
        finally:
            await here.cache.stop()
            await balancer.stop()
            network.stop()


def play(directory: Path, story: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with world(directory) as here:
            await here.serves()
            await story(here)

    asyncio.run(whole())


def test_a_killed_primary_is_replaced_and_comes_back_as_replica(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        pid = here.cache.pid("cache-001")
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: here.cache.describe().primary == "cache-002")
        await here.serves()
        await here.whole()

        roles = {node.name: node.role for node in here.cache.describe().nodes}
        assert roles == {"cache-001": "replica", "cache-002": "primary"}
        assert ("failover", "cache-002") in here.kinds()

    play(tmp_path, story)


def test_a_dark_primary_is_replaced_and_returns_with_the_light(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        fenced = here.cache.pid("cache-001")
        here.network.darken(frozenset({"cache-a", "app-a"}))
        await eventually(lambda: here.cache.describe().primary == "cache-002")
        await here.serves()
        in_the_dark = {node.name: node.status for node in here.cache.describe().nodes}
        here.network.darken(frozenset())
        await here.whole()

        assert in_the_dark["cache-001"] == "unreachable"
        assert here.cache.pid("cache-001") not in {fenced, None}
        assert here.kinds()[-1] == ("available", "cache-001")

    play(tmp_path, story)


def test_a_killed_replica_is_restarted_beside_the_same_primary(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        pid = here.cache.pid("cache-002")
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: ("restarted", "cache-002") in here.kinds())
        await here.whole()

        assert here.cache.describe().primary == "cache-001"

    play(tmp_path, story)


def test_a_planned_failover_swaps_the_roles(tmp_path: Path) -> None:
    async def story(here: World) -> None:
        await here.cache.failover("cache-002")
        await here.serves()
        await here.whole()

        assert here.cache.describe().primary == "cache-002"
        with pytest.raises(ValueError, match="cache-002 is the primary already"):
            await here.cache.failover("cache-002")
        with pytest.raises(ValueError, match="cache-003 is no node"):
            await here.cache.failover("cache-003")

    play(tmp_path, story)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what we wait for is in other processes
            await asyncio.sleep(0.02)
