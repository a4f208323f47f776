"""The targets of one load balancer: HAProxy's slots, handed out while it runs."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from staging.local.balancer_config import TARGETS_AT_MOST, BalancerTimings, slot_name
from staging.local.balancer_readings import Target, TargetHealth, health
from staging.local.balancer_runtime import BalancerError, Runtime


class Targets:
    """The servers behind `proxy`, one of HAProxy's own names."""

    def __init__(self, runtime: Runtime, proxy: str, timings: BalancerTimings) -> None:
        self._runtime = runtime
        self._proxy = proxy
        self._timings = timings
        self._targets: dict[str, Target] = {}
        # the slot that has been free for longest is taken first: nothing of its past is left
        self._free = deque(range(1, TARGETS_AT_MOST + 1))

    async def add_target(self, target: str, host: str, port: int) -> None:
        """Register a target; it gets requests once it is healthy."""
        if target in self._targets:
            raise ValueError(f"{target} is a target already")
        if not self._free:
            raise BalancerError(f"no room for more than {TARGETS_AT_MOST} targets")
        slot = self._free.popleft()
        self._targets[target] = Target(slot, time.time())
        server = self._set(slot)
        # straight out of maintenance HAProxy would take it for healthy; from draining it need not
        # (and at its first bad check ill, until it is told that it is healthy)
        unknown, ready = (f"{server} state drain", f"{server} health down"), f"{server} state ready"
        states = (*unknown, ready) if self._timings.waits_for_health else (ready, f"{server} health up")
        await self._runtime.tell(f"{server} addr {host} port {port}", *states)

    async def drain(self, target: str) -> None:
        """Give it no new requests; those under way go on."""
        known = self._target(target)
        if known.draining_since is None:
            self._targets[target] = replace(known, draining_since=time.time())
            await self._runtime.tell(f"{self._set(known.slot)} state drain")

    async def remove(self, target: str) -> None:
        """Deregister it for good, and end what is still under way there."""
        slot = self._target(target).slot
        del self._targets[target]
        await self._runtime.tell(
            f"{self._set(slot)} state maint", f"shutdown sessions server {self._proxy}/{slot_name(slot)}"
        )
        self._free.append(slot)

    async def health(self) -> dict[str, TargetHealth]:
        """Return what the balancer thinks of each registered target."""
        targets = dict(self._targets)
        rows = {row["svname"]: row for row in await self._runtime.rows(self._proxy)}
        seen = {
            name: health(known, rows[slot_name(known.slot)], self._timings) for name, known in targets.items()
        }
        for name in seen.keys() & self._targets.keys():
            if seen[name].state == "healthy":
                self._targets[name] = replace(self._targets[name], been_healthy=True)
        return seen

    def _target(self, target: str) -> Target:
        try:
            return self._targets[target]
        except KeyError:
            raise ValueError(f"{target} is no target") from None

    def _set(self, slot: int) -> str:
        return f"set server {self._proxy}/{slot_name(slot)}"
