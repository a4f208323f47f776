"""The control plane, assembled: the platform's AWS state, and what keeps it and the data plane in step."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from staging.local.control_plane import ecs as ecs_api
from staging.local.control_plane import elbv2 as elbv2_api
from staging.local.control_plane import shortcuts
from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.backup.assembly import assembled
from staging.local.control_plane.bridge import Bridge
from staging.local.control_plane.canary import Canary
from staging.local.control_plane.cloudwatch import CloudWatch
from staging.local.control_plane.ecs import Ecs, wanted_now
from staging.local.control_plane.ecs_events import EcsEvents
from staging.local.control_plane.elasticache import ElastiCache
from staging.local.control_plane.elbv2 import Elbv2
from staging.local.control_plane.front import Front
from staging.local.control_plane.functions import OnDemandInstead
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.nacl import Darkness
from staging.local.control_plane.platform import (
    DR_REGION,
    LEDGER,
    ON_DEMAND_INSTEAD,
    REGION,
    REGIONS,
    SERVICE,
    TwoRegions,
    zone_of,
)
from staging.local.control_plane.rds.api import Rds
from staging.local.control_plane.rds.databases import Databases
from staging.local.control_plane.rds_data import RdsData
from staging.local.control_plane.route53 import Route53
from staging.local.control_plane.server import Server
from staging.local.control_plane.silence import Silence
from staging.local.control_plane.spot import Capacity, Spot
from staging.local.control_plane.standby import Standby
from staging.local.control_plane.warm import warm
from staging.local.defects import Defect, of_part
from staging.local.scheduler import Scheduler

if TYPE_CHECKING:
    import socket
    from collections import deque
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from staging.local.aurora.state import AuroraEvent
    from staging.local.balancer import Balancer
    from staging.local.cache import Cache
    from staging.local.control_plane.fleet import Fleet
    from staging.local.lives import Ground
    from staging.local.network import Network
    from staging.local.placement import Health
    from staging.local.task import Task
    from staging.local.timings import Timings


@dataclass(frozen=True, kw_only=True)
class DataPlane:
    """The real parts that the control plane speaks for."""

    network: Network
    fleets: Mapping[str, Fleet]  # by region, as the ground under the tasks
    grounds: Mapping[str, Ground]
    aurora_events: deque[AuroraEvent]
    backups: Path  # where snapshots and recovery points are kept
    balancer: Balancer
    cache: Cache


class ControlPlane:
    """Made in the event loop, once the platform's state is there."""

    def __init__(
        self,
        platform: TwoRegions,
        data: DataPlane,
        timings: Timings,
        trail: Path,
        sockets: Sequence[socket.socket],
        *,
        defects: frozenset[Defect] = frozenset(),
    ) -> None:
        bridge = Bridge()
        self._data = data
        self._trail = AuditTrail(trail)
        self.front = Front(self._trail)
        self._server = Server(self.front, sockets)
        self.darkness = Darkness(data.network, platform)
        silence = Silence(platform)
        self.cloudwatch = CloudWatch(
            platform, data.balancer, timings, self._writer_available, lost=silence.lost,
            writer_reports_itself=Defect.ALARM_TREATS_MISSING_AS_GOOD in defects,
        )  # fmt: skip
        self._canary = Canary(data.balancer.door, timings.alarm_period_s, self.cloudwatch.canary)
        capacity = Capacity()
        self.scheduler = Scheduler(
            wanted=lambda: wanted_now(platform, timings), dark=lambda: self.darkness.dark,
            ground=data.grounds[REGION], balancer=data.balancer, timings=timings, service=SERVICE,
            target_group=platform.target_group, on_health=self._on_health, without=capacity.without,
            replaces=Defect.NO_REPLACEMENT_OF_TASKS not in defects,
            waits_for_start=Defect.REGISTERED_BEFORE_READY not in defects,
        )  # fmt: skip
        ecs = Ecs(self.scheduler, platform)
        functions = {ON_DEMAND_INSTEAD: OnDemandInstead(ecs.update_service)}
        ecs_events = EcsEvents(platform, ecs.described, functions, self.cloudwatch.triggered)
        self.scheduler.on_starved(ecs_events.placement_failure)
        self.darkness.on_change(self.scheduler.wake)
        self._standby = Standby(
            platform.standby, data.grounds[DR_REGION], data.balancer.standby, timings, bridge
        )
        elbv2 = Elbv2(data.balancer, lambda: self.scheduler.tasks, platform, bridge)
        databases = Databases(data.fleets, data.aurora_events, bridge)
        rds = Rds(databases, data.backups)
        backup = assembled(
            rds, databases, bridge, root=data.backups, hour_s=timings.backup_every_s,
            defects=of_part(defects, "backup"), lost=silence.lost,
        )  # fmt: skip
        self._plans = backup.plans
        for part in (
            silence,
            self.darkness,
            self.cloudwatch,
            rds,
            backup.api,
            RdsData(data.fleets, bridge),
            Spot(capacity, self.scheduler, ecs_events, platform, bridge),
            Route53(data.balancer, self.darkness, platform.standby, bridge, ttl_s=timings.dns_ttl_s),
            ElastiCache(data.cache, bridge),
        ):
            part.register(self.front)
        ecs_api.register(self.front, {REGION: ecs, DR_REGION: self._standby.ecs})
        elbv2_api.register(self.front, {REGION: elbv2, DR_REGION: self._standby.elbv2})
        shortcuts.register(self.front)
        self._loops: list[asyncio.Task[None]] = []
        self._looked_ns = time.monotonic_ns()

    def serve(self) -> None:
        """Begin to answer, and to start tasks."""
        self._server.start()
        self._loops.append(asyncio.create_task(self.scheduler.run()))

    def observe(self) -> None:
        """Begin to measure and to judge alarms; before everything was healthy they would all go off."""
        self._loops.append(asyncio.create_task(self.cloudwatch.run()))
        self._loops.append(asyncio.create_task(self._canary.run()))

    def protect(self) -> None:
        """Begin to back up; a staging that is not quiet yet has no time for that."""
        self._loops.append(asyncio.create_task(self._plans.run()))

    async def warm(self) -> None:
        """Make the slow first calls now, in a thread."""
        await asyncio.to_thread(warm, self.front)

    def healthy_tasks(self) -> int:
        """Count the tasks that the load balancer has found healthy and that shall run."""
        return sum(task.ever_healthy and task.desired == "RUNNING" for task in self.scheduler.tasks)

    def quiet(self) -> bool:
        """Tell whether every alarm has been judged and none is on."""
        alarms = (alarm for region in REGIONS for alarm in backend("cloudwatch", region).alarms.values())
        return all(alarm.state_value == "OK" for alarm in alarms)

    async def stop(self) -> None:
        """Stop deciding, end every task, stop answering."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.scheduler.stop_all()
        await self._standby.stop()
        await asyncio.to_thread(self._server.stop)
        self._trail.close()

    def _writer_available(self) -> bool:
        """Tell whether the ledger takes writes, and did so ever since it was last asked."""
        looked_ns, self._looked_ns = self._looked_ns, time.monotonic_ns()
        newest_first = reversed(self._data.aurora_events)
        recent = takewhile(lambda event: event.at_ns > looked_ns, newest_first)
        if any(event.category == "failover" for event in recent):
            return False  # one that took less time than passes between two looks
        state = self._data.fleets[REGION].describe().get(LEDGER)
        if state is None or not state.members:
            return False
        return state.status == "available" and state.writer.status == "available"

    def _on_health(self, tasks: list[Task], health: Mapping[str, Health]) -> None:
        seen = {
            state: Counter(zone_of(task.subnet) for task in tasks if health.get(task.id) == state)
            for state in ("healthy", "unhealthy")
        }
        self.cloudwatch.hosts(seen["healthy"], seen["unhealthy"])
