"""The cache: a Valkey primary and a replica in another AZ, and the controller that replaces the primary."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from staging.local.valkey import Node, NodeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from staging.local.balancer import Balancer
    from staging.local.network import Network

ENDPOINT = "cache-primary"
NODES = {"cache-001": "cache-a", "cache-002": "cache-b"}

_START_WITHIN_S = 10.0

Kind = Literal["failover", "unreachable", "available", "restarted"]
Status = Literal["creating", "available", "syncing", "unreachable"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CacheTimings:
    """How the controller finds out that a node is gone."""

    probe_interval_s: float = 0.1
    probe_timeout_s: float = 0.3
    misses: int = 3


@dataclass(frozen=True)
class NodeState:
    """A node, as the controller sees it."""

    name: str
    subnet: str
    role: Literal["primary", "replica"]
    status: Status


@dataclass(frozen=True)
class ClusterState:
    """The replication group."""

    primary: str
    nodes: tuple[NodeState, ...]


@dataclass(frozen=True)
class CacheEvent:
    """Something that ElastiCache would report."""

    at: float  # seconds since the epoch
    node: str
    kind: Kind


class Cache:
    """Keeps one primary reachable behind the balancer's endpoint `cache-primary`."""

    def __init__(
        self,
        network: Network,
        balancer: Balancer,
        directory: Path,
        *,
        timings: CacheTimings | None = None,
        on_change: Callable[[CacheEvent], None] | None = None,
    ) -> None:
        self._network = network
        self._balancer = balancer
        self._timings = timings or CacheTimings()
        self._report = on_change or (lambda _: None)
        self._nodes = {
            name: Node(network, name, subnet, directory, timeout_s=self._timings.probe_timeout_s)
            for name, subnet in NODES.items()
        }
        self._primary = next(iter(self._nodes))
        self._status: dict[str, Status] = dict.fromkeys(self._nodes, "creating")
        self._misses = dict.fromkeys(self._nodes, 0)
        self._changing = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start both nodes and return when the replica is in step."""
        for name in self._nodes:
            self._start(name)
        await self._point()
        self._watch = asyncio.create_task(self._keep_watch())
        async with asyncio.timeout(_START_WITHIN_S):
            while set(self._status.values()) != {"available"}:  # noqa: ASYNC110 - the watch looks that often
                await asyncio.sleep(self._timings.probe_interval_s)

    async def stop(self) -> None:
        """End the controller, then the nodes."""
        if self._watch:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        for node in self._nodes.values():
            await node.disconnect()
            node.kill()

    def describe(self) -> ClusterState:
        """Return the latest that is known."""
        return ClusterState(self._primary, tuple(self._node_state(name) for name in self._nodes))

    def pid(self, node: str) -> int | None:
        """Return the process of a node, while it runs."""
        return self._nodes[node].pid

    async def failover(self, to: str) -> None:
        """Promote a node, lead clients there, and turn the old primary into its replica."""
        if to not in self._nodes:
            raise ValueError(f"{to} is no node of the cache")
        async with self._changing:
            if to == self._primary:
                raise ValueError(f"{to} is the primary already")
            await self._promote(to)

    async def _keep_watch(self) -> None:
        while True:
            async with self._changing:
                try:
                    await asyncio.gather(*(self._look(name) for name in self._nodes))
                    await self._mend()
                except Exception:  # noqa: BLE001 - a controller that dies in silence is a planted defect
                    _log.exception("the cache's controller had to give up a round")
            await asyncio.sleep(self._timings.probe_interval_s)

    async def _look(self, name: str) -> None:
        try:
            role = await self._nodes[name].role()
        except NodeError:
            self._misses[name] += 1
            # a node that has never answered is still starting: only `start` loses patience with it
            if self._misses[name] >= self._timings.misses and self._status[name] != "creating":
                self._set_status(name, "unreachable")
            return
        self._misses[name] = 0
        in_place = role.in_step and role.primary == (name == self._primary)
        self._set_status(name, "available" if in_place else "syncing")

    async def _mend(self) -> None:
        if self._status[self._primary] == "unreachable":
            await self._replace_primary()
        for name, node in self._nodes.items():
            if name != self._primary and node.pid is None:
                self._restart(name)

    async def _replace_primary(self) -> None:
        for name in self._nodes:
            if name != self._primary and self._status[name] in {"available", "syncing"}:
                await self._promote(name)
                return
        if self._nodes[self._primary].pid is None:
            self._restart(self._primary)  # nobody else is left: an empty cache is better than none

    async def _promote(self, name: str) -> None:
        await self._nodes[name].promote()
        old, self._primary = self._primary, name
        await self._point()
        # fenced, or it would take writes that nobody sees from those who still hold a connection
        self._nodes[old].kill()
        self._restart(old)
        self._tell("failover", name)

    async def _point(self) -> None:
        primary = self._nodes[self._primary]
        await self._balancer.point(ENDPOINT, *self._network.route("public", primary.address))

    def _restart(self, name: str) -> None:
        self._start(name)
        self._set_status(name, "unreachable")
        self._tell("restarted", name)

    def _start(self, name: str) -> None:
        self._nodes[name].start(None if name == self._primary else self._nodes[self._primary])

    def _set_status(self, name: str, status: Status) -> None:
        before, self._status[name] = self._status[name], status
        if before != status and status in {"available", "unreachable"}:
            self._tell(status, name)

    def _tell(self, kind: Kind, name: str) -> None:
        self._report(CacheEvent(time.time(), name, kind))

    def _node_state(self, name: str) -> NodeState:
        role: Literal["primary", "replica"] = "primary" if name == self._primary else "replica"
        return NodeState(name, NODES[name], role, self._status[name])
