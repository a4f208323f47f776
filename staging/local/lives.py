"""The life of an ECS task's process: started, registered, drained, told to end, and made to."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import logging
import time
from typing import TYPE_CHECKING, Protocol

from staging.local.network import SUBNETS, Address
from staging.local.task import Task, now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from subprocess import Popen

    from staging.local.placement import Health
    from staging.local.timings import Timings

log = logging.getLogger("staging.local.ecs")

_POLL_S = 0.02


class Balancer(Protocol):
    """What the scheduler asks of the load balancer."""

    async def add_target(self, target: str, host: str, port: int) -> None:
        """Send requests there once it is healthy."""

    async def drain(self, target: str) -> None:
        """Send nothing new there; what has begun may finish."""

    async def remove(self, target: str) -> None:
        """Forget it."""

    async def health(self) -> Mapping[str, TargetState]:
        """Return what it thinks of each target."""


class TargetState(Protocol):
    """What the balancer thinks of one target."""

    @property
    def state(self) -> Health:
        """An ALB's word."""


class Ground(Protocol):
    """Where tasks run."""

    def reserve(self, subnet: str) -> Address:
        """Reserve an address to listen at."""

    def seen_from_balancer(self, address: Address) -> tuple[str, int]:
        """Return how the load balancer reaches it."""

    def launch(self, task: Task, address: Address) -> Popen[bytes]:
        """Start the task's process."""

    def hasten(self, process: Popen[bytes]) -> None:
        """It has started: from now on it gets its full share of the CPU."""

    def release(self, address: Address) -> None:
        """Give the address back."""


class Lives:
    """Takes tasks from one status to the next."""

    def __init__(
        self, ground: Ground, balancer: Balancer, timings: Timings, *, waits_for_start: bool = True
    ) -> None:
        self._waits_for_start = waits_for_start  # the planted defect registers a task that has yet to start
        self._ground = ground
        self._balancer = balancer
        self._timings = timings
        self._ips = {name: itertools.cycle(range(10, 250)) for name in SUBNETS}

    async def begin(self, task: Task) -> None:
        """Bring a task to RUNNING; one that cannot be started wants to stop."""
        try:
            task.address = await asyncio.to_thread(self._ground.reserve, task.subnet)
            task.ip = self._ip(task.address)
            task.process = await asyncio.to_thread(self._ground.launch, task, task.address)
            task.status = "PENDING"
            if self._waits_for_start:
                await self._until_listening(task.process, task.address)
            await asyncio.to_thread(self._ground.hasten, task.process)
            task.status = "ACTIVATING"
            await self._balancer.add_target(task.id, *self._ground.seen_from_balancer(task.address))
            task.registered = True
        except Exception as error:
            log.exception("task.start id=%s", task.id)
            task.stop("TaskFailedToStart", f"ResourceInitializationError: {error}")
        else:
            task.status, task.started_at = "RUNNING", now()
            log.info("task.running id=%s subnet=%s provider=%s", task.id, task.subnet, task.provider)

    async def finish(self, task: Task) -> None:
        """Drain a task that lives and is registered, then end it.

        But not one whose capacity is taken back: AWS tells it to end at once, and takes it out of its target
        group only when it has stopped.
        """
        alive = task.process is not None and task.process.poll() is None
        if alive and task.registered and not task.reclaimed:
            task.status = "DEACTIVATING"
            await self._balancer.drain(task.id)
            await self._until_ended(task, self._timings.drain_s)
        task.status = "STOPPING"
        await self.end(task)

    async def end(self, task: Task) -> None:
        """End the process, by force if need be, and give back what the task held."""
        if task.status == "STOPPED":
            return
        if task.process is not None:
            # who still registers it with the load balancer hears of its end no sooner than ECS does
            every_s = self._timings.schedule_every_s if task.reclaimed else _POLL_S
            task.process.terminate()
            if not await self._until_ended(task, self._timings.stop_timeout_s, every_s):
                task.process.kill()
                await self._until_ended(task, self._timings.stop_timeout_s, every_s)
            task.exit_code = _exit_code(task.process)
        if task.registered:
            await self._balancer.remove(task.id)
            task.registered = False
        if task.address is not None:
            self._ground.release(task.address)
        task.status, task.stopped_at = "STOPPED", now()
        log.info("task.stopped id=%s code=%s reason=%s", task.id, task.stop_code, task.stopped_reason)

    def _ip(self, address: Address) -> str:
        """Return the address that the API shows: the real one, unless the network has only loopback."""
        network = ipaddress.ip_network(f"{SUBNETS[address.subnet]}.0/24")
        real = ipaddress.ip_address(address.host) in network
        return address.host if real else str(network[next(self._ips[address.subnet])])

    async def _until_listening(self, process: Popen[bytes], address: Address) -> None:
        """Wait until it takes connections, so that booting is not mistaken for failing; within the grace."""
        deadline = time.monotonic() + self._timings.grace_s
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(self._knock(address), self._timings.check_timeout_s)
                return
            await asyncio.sleep(_POLL_S)

    async def _knock(self, address: Address) -> None:
        _, writer = await asyncio.open_connection(*self._ground.seen_from_balancer(address))
        writer.close()

    async def _until_ended(self, task: Task, within_s: float, every_s: float = _POLL_S) -> bool:
        deadline = time.monotonic() + within_s
        while task.process is not None and task.process.poll() is None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(every_s, left_s))
        return True


def _exit_code(process: Popen[bytes]) -> int | None:
    """Return the exit code as a container has it: 137 for one that was killed."""
    code = process.returncode
    return 128 - code if code is not None and code < 0 else code
