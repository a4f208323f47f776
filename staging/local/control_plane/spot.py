"""Spot capacity: taken back, withheld and offered on request, which no AWS API lets anybody do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.ecs_events import EcsEvents
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.platform import Platform
    from staging.local.scheduler import Scheduler
    from staging.local.task import Task

SPOT = "FARGATE_SPOT"
_REASON = "Your Spot Task was interrupted."


class Capacity:
    """What the capacity providers of the platform's cluster can give; read from anywhere."""

    def __init__(self) -> None:
        self.withheld = False

    def without(self) -> frozenset[str]:
        """Return the capacity providers that cannot take a task now."""
        return frozenset({SPOT}) if self.withheld else frozenset()


class Spot:
    """Answers for Spot capacity."""

    def __init__(
        self, capacity: Capacity, scheduler: Scheduler, events: EcsEvents, platform: Platform, bridge: Bridge
    ) -> None:
        self._capacity = capacity
        self._scheduler = scheduler
        self._events = events
        self._platform = platform
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for Spot capacity."""
        front.local("ReclaimSpot")(lambda asked: self._bridge.run(self._reclaim(asked["tasks"])))
        front.local("WithholdSpot")(self._setting(withheld=True))
        front.local("OfferSpot")(self._setting(withheld=False))
        front.local("DescribeSpot")(self._describe)

    async def _reclaim(self, arns: list[str]) -> dict[str, Any]:
        """Interrupt all of them or none: each gets its signal at the scheduler's next look, which is now."""
        tasks = [self._spot_task(name) for name in arns]
        for task in tasks:
            self._scheduler.stop_task(task.id, "SpotInterruption", _REASON)
            self._events.task_state_change(task)
        return {"interrupted": arns}

    def _spot_task(self, task_arn: str) -> Task:
        task = next((t for t in self._scheduler.tasks if t.id == task_arn.rpartition("/")[2]), None)
        if task is None or task.provider != SPOT or task.desired != "RUNNING":
            raise AwsError("InvalidParameterException", f"{task_arn} is no running task on {SPOT}.")
        return task

    def _setting(self, *, withheld: bool) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        def set_it(asked: Mapping[str, Any]) -> dict[str, Any]:
            self._require_cluster(asked)
            self._capacity.withheld = withheld
            self._scheduler.wake()
            return {"withheld": withheld}

        return set_it

    def _describe(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._require_cluster(asked)
        return {"withheld": self._capacity.withheld}

    def _require_cluster(self, asked: Mapping[str, Any]) -> None:
        if asked["cluster"] != self._platform.cluster:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
