"""The ECS scheduler: keeps as many real processes running as the service wants, in light zones, healthy."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from staging.local.lives import Lives
from staging.local.placement import Decision, Running, Start, Wanted, decide
from staging.local.task import StopCode, Task, now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from staging.local.lives import Balancer, Ground
    from staging.local.placement import Health, Why
    from staging.local.timings import Timings

log = logging.getLogger("staging.local.ecs")

_STOPPED_KEPT = 200
_BACKOFF_S_MAX = 30.0
_PLACEMENT_PAUSE_MAX = 20  # looks between two attempts to place what nobody has capacity for
_NO_CAPACITY = (
    "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in "
    "a different availability zone. For more information, see the Troubleshooting section of the Amazon ECS "
    "Developer Guide."
)
_REASONS: Mapping[Why, str] = {
    "unhealthy": "Task failed ELB health checks in (target-group {targets})",
    "surplus": "Scaling activity initiated by (service {service})",
    "rebalancing": "Scaling activity initiated by availability zone rebalancing of (service {service})",
}


class Scheduler:
    """Lives in the event loop. `wake` may be called from any thread."""

    def __init__(
        self,
        *,
        wanted: Callable[[], Wanted],
        dark: Callable[[], frozenset[str]],
        ground: Ground,
        balancer: Balancer,
        timings: Timings,
        service: str,
        target_group: str,
        on_health: Callable[[list[Task], Mapping[str, Health]], None],
        without: Callable[[], frozenset[str]] = frozenset,
        replaces: bool = True,
        waits_for_start: bool = True,
    ) -> None:
        self._wanted = wanted
        self._dark = dark
        self._balancer = balancer
        self._lives = Lives(ground, balancer, timings, waits_for_start=waits_for_start)
        self._replaces = replaces
        self._timings = timings
        self._names = {"service": service, "targets": target_group}
        self._on_health = on_health
        self._without = without
        self._on_starved: list[Callable[[str], None]] = []
        self._tasks: dict[str, Task] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._dark_since: dict[str, float] = {}
        self._failed_starts = 0
        self._retry_at = 0.0
        self._starved_looks = 0
        self._ask_again_at = 0.0
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.events: deque[tuple[float, str]] = deque(maxlen=100)  # newest first, as the API lists them
        self._steady = False

    @property
    def tasks(self) -> list[Task]:
        """All tasks, those that stopped a while ago too, oldest first."""
        return list(self._tasks.values())

    def wake(self) -> None:
        """Look again now."""
        self._loop.call_soon_threadsafe(self._wake.set)

    def on_starved(self, listener: Callable[[str], None]) -> None:
        """Call it, in the loop, with each capacity provider that a task could not be placed with."""
        self._on_starved.append(listener)

    async def run(self) -> None:
        """Look and decide, for ever."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("schedule.error")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._timings.schedule_every_s)
            self._wake.clear()

    async def look(self) -> None:
        """Look once, and begin what has to be done."""
        health = {name: target.state for name, target in (await self._balancer.health()).items()}
        self._on_health(self.tasks, health)
        self._note_health(health)
        self._note_deaths()
        wanted, dark = self._wanted(), self._dark()
        light, settled = self._light(wanted, dark)
        running = [self._seen(task, health) for task in self.tasks if task.desired == "RUNNING"]
        decision = decide(wanted, running, light=light, settled=settled, without=self._without())
        self._act(decision)
        self._note_starved(decision)
        self._tell(decision, wanted, running)
        self._forget_old()

    def stop_task(self, task_id: str, code: StopCode, reason: str) -> None:
        """Begin to stop a task; the next look replaces it."""
        self._tasks[task_id].stop(code, reason)
        self.wake()

    async def stop_all(self) -> None:
        """End every process now, without draining: nobody is served any more."""
        for change in self._under_way.values():
            change.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await asyncio.gather(*(self._lives.end(task) for task in self.tasks))

    # Seeing.

    def _seen(self, task: Task, health: Mapping[str, Health]) -> Running:
        return Running(
            id=task.id, subnet=task.subnet, provider=task.provider, age_s=task.age_s,
            health=health.get(task.id, "initial"), ill_for_s=task.ill_for_s,
        )  # fmt: skip

    def _note_health(self, health: Mapping[str, Health]) -> None:
        for task in self.tasks:
            state = health.get(task.id)
            if state == "healthy" and not task.ever_healthy:
                task.ever_healthy = True
                self._failed_starts = 0
            task.note_ill(ill=state == "unhealthy")

    def _note_deaths(self) -> None:
        for task in self.tasks:
            if task.desired == "RUNNING" and task.process and task.process.poll() is not None:
                task.stop("EssentialContainerExited", "Essential container in task exited")
                log.warning("task.died id=%s exit=%s", task.id, task.process.returncode)

    def _light(self, wanted: Wanted, dark: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the subnets that can take a task, and those that have been light for long enough."""
        moment = time.monotonic()
        self._dark_since.update(dict.fromkeys(dark, moment))
        light = frozenset(wanted.subnets) - dark
        ready = moment - self._timings.rebalance_after_s
        return light, frozenset(name for name in light if self._dark_since.get(name, 0.0) < ready)

    # Acting.

    def _act(self, decision: Decision) -> None:
        for stop in decision.stops:
            reason = _REASONS[stop.why].format(**self._names)
            self._tasks[stop.id].stop("ServiceSchedulerInitiated", reason)
        if decision.starts and time.monotonic() >= self._retry_at and not self._leaves_gaps():
            self._say(f"has started {len(decision.starts)} tasks.")
            for start in decision.starts:
                self._begin(start)
        for task in self.tasks:
            if task.desired == "STOPPED" and task.stopping_at is None:
                task.stopping_at = now()
                self._change(task, self._finish(task, self._under_way.get(task.id)))

    def _leaves_gaps(self) -> bool:
        """Plant the defect: once a task has ended, no other is started."""
        return not self._replaces and any(task.desired == "STOPPED" for task in self.tasks)

    def _begin(self, start: Start) -> None:
        task = Task(subnet=start.subnet, provider=start.provider)
        self._tasks[task.id] = task
        self._change(task, self._lives.begin(task))

    async def _finish(self, task: Task, starting: asyncio.Task[None] | None) -> None:
        if starting is not None:
            await asyncio.wait({starting})
        if not task.ever_healthy and not task.reclaimed:
            self._back_off()
        await self._lives.finish(task)

    def _change(self, task: Task, work: Coroutine[Any, Any, None]) -> None:
        change = self._under_way[task.id] = asyncio.create_task(work)
        change.add_done_callback(lambda _: self.wake())

    def _back_off(self) -> None:
        """Retry ever more slowly what never becomes healthy, as ECS does."""
        self._failed_starts += 1
        pause_s = min(self._timings.schedule_every_s * 2**self._failed_starts, _BACKOFF_S_MAX)
        self._retry_at = time.monotonic() + pause_s

    def _note_starved(self, decision: Decision) -> None:
        """Say at every attempt that there is no capacity; attempts become ever rarer, as on AWS."""
        if not decision.starved:
            self._starved_looks, self._ask_again_at = 0, 0.0
            return
        if time.monotonic() < self._ask_again_at:
            return
        pauses = min(2**self._starved_looks, _PLACEMENT_PAUSE_MAX)
        self._ask_again_at = time.monotonic() + pauses * self._timings.schedule_every_s
        self._starved_looks += 1
        self._say(_NO_CAPACITY)
        for provider in sorted(set(decision.starved)):
            for listener in self._on_starved:
                listener(provider)

    def _forget_old(self) -> None:
        stopped = [task.id for task in self.tasks if task.status == "STOPPED"]
        for task_id in stopped[:-_STOPPED_KEPT]:
            del self._tasks[task_id], self._under_way[task_id]

    # Telling.

    def _tell(self, decision: Decision, wanted: Wanted, running: Iterable[Running]) -> None:
        if decision.unplaceable:
            self._say("was unable to place a task because no availability zone of its subnets is reachable.")
        for stop in decision.stops:
            self._say(f"has stopped 1 running tasks: (task {stop.id}): {stop.why}.")
        healthy = sum(task.health == "healthy" for task in running)
        settled = not decision.starts and not decision.stops and not decision.starved
        steady = settled and healthy == wanted.desired_count
        if steady and not self._steady:
            self._say("has reached a steady state.")
        self._steady = steady

    def _say(self, what: str) -> None:
        message = f"(service {self._names['service']}) {what}"
        if not self.events or self.events[0][1] != message:
            self.events.appendleft((time.time(), message))
