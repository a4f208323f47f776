"""The bank's service in the other region: the same as in the first one, once it wants a task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from staging.local.control_plane.ecs import Ecs, wanted_now
from staging.local.control_plane.elbv2 import Elbv2
from staging.local.control_plane.platform import SERVICE, Platform
from staging.local.scheduler import Scheduler

if TYPE_CHECKING:
    from staging.local.balancer_targets import Targets
    from staging.local.control_plane.bridge import Bridge
    from staging.local.lives import Ground
    from staging.local.timings import Timings


class Standby:
    """Costs nothing until somebody changes the service: only then its scheduler begins to look."""

    def __init__(
        self, platform: Platform, ground: Ground, targets: Targets, timings: Timings, bridge: Bridge
    ) -> None:
        self._scheduler = Scheduler(
            wanted=lambda: wanted_now(platform, timings), dark=frozenset, ground=ground, balancer=targets,
            timings=timings, service=SERVICE, target_group=platform.target_group,
            on_health=lambda *_: None,
        )  # fmt: skip
        self.ecs = Ecs(self._scheduler, platform, self._wake_up)
        self.elbv2 = Elbv2(targets, lambda: self._scheduler.tasks, platform, bridge)
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Stop deciding, and end every task."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._scheduler.stop_all()

    def _wake_up(self) -> None:
        self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._looking is None:
            self._looking = asyncio.create_task(self._scheduler.run())
