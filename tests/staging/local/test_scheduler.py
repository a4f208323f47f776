"""The scheduler with real processes of a trivial kind, and a balancer that only knocks."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from staging.local.network import Address
from staging.local.placement import Health, Provider, Wanted
from staging.local.scheduler import Scheduler
from staging.local.timings import FAST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from subprocess import Popen

    from staging.local.task import Task

pytestmark = pytest.mark.local

SERVE = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), None).serve_forever()
"""
WANTED = Wanted(
    desired_count=2, subnets=("app-a", "app-b"), strategy=(Provider(name="FARGATE", base=0, weight=1),),
    grace_s=0.0, notice_s=0.0,
)  # fmt: skip
TIMINGS = replace(FAST, schedule_every_s=0.05, drain_s=0.1, rebalance_after_s=0.2, stop_timeout_s=2.0)


class Ground:
    """Loopback; each task listens on a port of its own."""

    def reserve(self, subnet: str) -> Address:
        with socket.create_server(("127.0.0.1", 0)) as door:
            return Address(subnet, "127.0.0.1", door.getsockname()[1])

    def seen_from_balancer(self, address: Address) -> tuple[str, int]:
        return address.host, address.port

    def launch(self, task: Task, address: Address) -> Popen[bytes]:  # noqa: ARG002 - of the protocol
        return subprocess.Popen([sys.executable, "-c", SERVE, str(address.port)])

    def hasten(self, process: subprocess.Popen[bytes]) -> None:
        pass

    def release(self, address: Address) -> None:
        pass


@dataclass(frozen=True)
class Seen:
    state: Health


class Knocker:
    """A balancer whose health check is a connection; targets of `cut_off` ports seem dead."""

    def __init__(self) -> None:
        self.targets: dict[str, tuple[str, int]] = {}
        self.drained: list[str] = []
        self.cut_off: set[str] = set()

    async def add_target(self, target: str, host: str, port: int) -> None:
        self.targets[target] = host, port

    async def drain(self, target: str) -> None:
        self.drained.append(target)

    async def remove(self, target: str) -> None:
        del self.targets[target]

    async def health(self) -> dict[str, Seen]:
        return {name: Seen(await self._knock(name)) for name in list(self.targets)}

    async def _knock(self, name: str) -> Health:
        try:
            _, writer = await asyncio.open_connection(*self.targets[name])
        except OSError:
            return "unhealthy"
        writer.close()
        return "unhealthy" if name in self.cut_off else "healthy"


class Stage:
    """A scheduler at work, and what the test changes around it."""

    def __init__(self, *, replaces: bool = True) -> None:
        self.wanted = WANTED
        self.dark: frozenset[str] = frozenset()
        self.balancer = Knocker()
        self.scheduler = Scheduler(
            wanted=lambda: self.wanted, dark=lambda: self.dark, ground=Ground(), balancer=self.balancer,
            timings=TIMINGS, service="bank-api", target_group="targets",
            on_health=lambda _tasks, _health: None, replaces=replaces,
        )  # fmt: skip

    def serving(self) -> list[Task]:
        return [task for task in self.scheduler.tasks if task.desired == "RUNNING" and task.ever_healthy]

    def zones(self) -> Counter[str]:
        return Counter(task.subnet for task in self.serving())

    async def until(self, condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s: {self.scheduler.tasks}"
            await asyncio.sleep(0.02)


def play(scene: Callable[[Stage], Awaitable[None]], *, replaces: bool = True) -> None:
    async def run() -> None:
        stage = Stage(replaces=replaces)
        loop = asyncio.create_task(stage.scheduler.run())
        try:
            await stage.until(lambda: len(stage.serving()) == 2)
            await scene(stage)
        finally:
            loop.cancel()
            await stage.scheduler.stop_all()
        assert all(task.process and task.process.poll() is not None for task in stage.scheduler.tasks)

    asyncio.run(run())


def test_tasks_are_spread_over_the_zones() -> None:
    async def scene(stage: Stage) -> None:
        assert stage.zones() == {"app-a": 1, "app-b": 1}

    play(scene)


def test_a_task_that_dies_is_replaced() -> None:
    async def scene(stage: Stage) -> None:
        victim = stage.serving()[0]
        assert victim.process
        victim.process.kill()
        await stage.until(lambda: victim.status == "STOPPED" and len(stage.serving()) == 2)

        assert victim.stop_code == "EssentialContainerExited"
        assert victim.exit_code == 137
        assert stage.balancer.drained == []

    play(scene)


def test_planted_a_task_that_ends_leaves_a_gap() -> None:
    async def scene(stage: Stage) -> None:
        victim = stage.serving()[0]
        stage.scheduler.stop_task(victim.id, "UserInitiated", "a drill")
        await stage.until(lambda: victim.status == "STOPPED")
        for _ in range(5):
            await stage.scheduler.look()

        assert len(stage.scheduler.tasks) == 2

    play(scene, replaces=False)


def test_a_task_that_the_balancer_finds_dead_is_drained_stopped_and_replaced() -> None:
    async def scene(stage: Stage) -> None:
        victim = stage.serving()[0]
        stage.balancer.cut_off.add(victim.id)
        await stage.until(lambda: victim.status == "STOPPED" and len(stage.serving()) == 2)

        assert victim.stopped_reason == "Task failed ELB health checks in (target-group targets)"
        assert stage.balancer.drained == [victim.id]

    play(scene)


def test_stop_task_says_who_wanted_it() -> None:
    async def scene(stage: Stage) -> None:
        victim = stage.serving()[0]
        stage.scheduler.stop_task(victim.id, "UserInitiated", "a drill")
        await stage.until(lambda: victim.status == "STOPPED" and len(stage.serving()) == 2)

        assert (victim.stop_code, victim.stopped_reason) == ("UserInitiated", "a drill")

    play(scene)


def test_the_desired_count_is_followed_both_ways() -> None:
    async def scene(stage: Stage) -> None:
        stage.wanted = replace(WANTED, desired_count=4)
        await stage.until(lambda: stage.zones() == {"app-a": 2, "app-b": 2})
        stage.wanted = replace(WANTED, desired_count=1)
        await stage.until(lambda: len(stage.serving()) == 1)

    play(scene)


def test_a_zone_that_goes_dark_and_comes_back() -> None:
    async def scene(stage: Stage) -> None:
        stage.dark = frozenset({"app-a"})
        stage.balancer.cut_off |= {task.id for task in stage.serving() if task.subnet == "app-a"}
        await stage.until(lambda: stage.zones() == {"app-b": 2})
        stage.dark = frozenset()
        await stage.until(lambda: stage.zones() == {"app-a": 1, "app-b": 1})

    play(scene)
