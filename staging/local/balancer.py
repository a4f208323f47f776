"""The load balancer: one HAProxy that is the ALB of the bank and the endpoints of its databases.

Targets, and the servers behind the endpoints, change while it runs. Like an ALB it sends no request
twice. Like a DNS name without TTL an endpoint leads new connections to its present server and leaves
established ones where they are.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from staging.local.balancer_config import (
    ALB,
    ENDPOINT_SERVER,
    TARGETS_AT_MOST,
    BalancerTimings,
    configuration,
    slot_name,
)
from staging.local.balancer_readings import Figures, Target, TargetHealth, Totals, figures, health, totals
from staging.local.balancer_runtime import BalancerError, Runtime
from staging.local.binaries import haproxy_bin

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path
    from subprocess import Popen

    from staging.local.network import Address, Network


class Balancer:
    """Runs HAProxy in the public subnet; `front` is where the ALB listens."""

    def __init__(
        self,
        network: Network,
        directory: Path,
        *,
        front: socket.socket,
        endpoints: Sequence[str] = (),
        timings: BalancerTimings | None = None,
    ) -> None:
        self._network = network
        self._directory = directory
        self._front = front
        self._timings = timings or BalancerTimings()
        self._endpoints = {name: network.listener("public") for name in endpoints}
        self._runtime = Runtime(directory / "balancer.sock")
        self._targets: dict[str, Target] = {}
        # the slot that has been free for longest is taken first: nothing of its past is left
        self._free = deque(range(1, TARGETS_AT_MOST + 1))
        self._process: Popen[bytes] | None = None
        self._totals = Totals()
        self._asked_at = 0.0

    @property
    def pid(self) -> int | None:
        """HAProxy's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start HAProxy with no targets, and endpoints that lead nowhere."""
        self._process = self._spawn()
        try:
            await self._runtime.ask("show version")
        except BalancerError as error:
            await self.stop()
            raise BalancerError(f"HAProxy did not start, see {self._log}") from error
        self._asked_at = time.monotonic()

    async def stop(self) -> None:
        """End HAProxy and every connection through it."""
        if self._process is None:
            return
        self._process.kill()  # it has nothing to save
        await asyncio.to_thread(self._process.wait)
        self._process = None
        self._runtime.close()

    async def add_target(self, target: str, host: str, port: int) -> None:
        """Register a target; it gets requests once it is healthy."""
        if target in self._targets:
            raise ValueError(f"{target} is a target already")
        if not self._free:
            raise BalancerError(f"no room for more than {TARGETS_AT_MOST} targets")
        slot = self._free.popleft()
        self._targets[target] = Target(slot, time.time())
        await self._runtime.tell(
            f"{_set(slot)} addr {host} port {port}",
            # straight out of maintenance HAProxy would take it for healthy; from draining it need not
            f"{_set(slot)} state drain",
            f"{_set(slot)} health down",
            f"{_set(slot)} state ready",
        )

    async def drain(self, target: str) -> None:
        """Give it no new requests; those under way go on."""
        known = self._target(target)
        if known.draining_since is None:
            self._targets[target] = replace(known, draining_since=time.time())
            await self._runtime.tell(f"{_set(known.slot)} state drain")

    async def remove(self, target: str) -> None:
        """Deregister it for good, and end what is still under way there."""
        slot = self._target(target).slot
        del self._targets[target]
        await self._runtime.tell(
            f"{_set(slot)} state maint", f"shutdown sessions server {ALB}/{slot_name(slot)}"
        )
        self._free.append(slot)

    async def health(self) -> dict[str, TargetHealth]:
        """Return what the balancer thinks of each registered target."""
        targets = dict(self._targets)
        rows = {row["svname"]: row for row in await self._runtime.rows(ALB)}
        seen = {
            name: health(known, rows[slot_name(known.slot)], self._timings) for name, known in targets.items()
        }
        for name in seen.keys() & self._targets.keys():
            if seen[name].state == "healthy":
                self._targets[name] = replace(self._targets[name], been_healthy=True)
        return seen

    async def figures(self) -> Figures:
        """Return what passed since the last call, or since the start."""
        rows = await self._runtime.rows(ALB)
        await self._runtime.tell("clear counters")  # only maxima: the totals stay
        now = time.monotonic()
        answer = figures(self._totals, rows, now - self._asked_at)
        self._totals, self._asked_at = totals(rows), now
        return answer

    def endpoint(self, name: str) -> Address:
        """Return where clients reach the endpoint."""
        return self._endpoints[name]

    async def point(self, name: str, host: str, port: int) -> None:
        """Lead new connections there; established ones stay where they are."""
        server = f"set server {name}/{ENDPOINT_SERVER}"
        await self._runtime.tell(f"{server} addr {host} port {port}", f"{server} state ready")

    async def unpoint(self, name: str) -> None:
        """Lead new connections nowhere: they are closed at once."""
        await self._runtime.tell(f"set server {name}/{ENDPOINT_SERVER} state maint")

    @property
    def _log(self) -> Path:
        return self._directory / "balancer.log"

    def _spawn(self) -> Popen[bytes]:
        with self._runtime.listen() as runtime:
            config = self._directory / "balancer.cfg"
            fds = {"front_fd": self._front.fileno(), "runtime_fd": runtime.fileno()}
            config.write_text(configuration(self._timings, endpoints=self._endpoints, **fds))
            argv = [str(haproxy_bin()), "-db", "-f", str(config)]
            return self._network.spawn("public", argv, log=self._log, pass_fds=tuple(fds.values()))

    def _target(self, target: str) -> Target:
        try:
            return self._targets[target]
        except KeyError:
            raise ValueError(f"{target} is no target") from None


def _set(slot: int) -> str:
    return f"set server {ALB}/{slot_name(slot)}"
