"""The local double of the platform, assembled: network, data plane, tasks and the AWS API over them."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blackstart.staging import Facts
from staging.local.aurora.fleet import Fleet
from staging.local.aurora.state import (
    READER_ENDPOINT,
    WRITER_ENDPOINT,
    AuroraEvent,
    AuroraSettings,
    Endpoints,
)
from staging.local.balancer import Balancer
from staging.local.balancer_config import BalancerTimings
from staging.local.bank.ledger_defects import sql_of
from staging.local.cache import ENDPOINT as CACHE_ENDPOINT
from staging.local.cache import Cache, CacheTimings
from staging.local.control_plane.platform import ACCOUNT, DR_RECEIPTS, DR_REGION, LEDGER, REGION
from staging.local.defects import Defect, of_part
from staging.local.elsewhere import PREFIX, EndpointsElsewhere
from staging.local.ground import BankGround
from staging.local.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from staging.local.control_plane.plane import ControlPlane
    from staging.local.control_plane.platform import TwoRegions
    from staging.local.network import Address, Network
    from staging.local.options import Options

_SCHEMA = Path(__file__).parent / "bank" / "schema.sql"
_USER = "bank"
_OWNER = "ledger_owner"
_HEALTHY_WITHIN_S = 60.0
_QUIET_WITHIN_PERIODS = 6
_POLL_S = 0.05
_EVENTS_KEPT = 10_000
# Of planted defects.
FAILOVER_DELAY_S = 45.0
CHECKS_TOO_MANY = 100
STOP_TOO_SHORT_S = 0.02


class NotHealthyError(RuntimeError):
    """The staging did not become healthy in time."""


class Double:
    """Starts everything in an order in which nothing waits longer than it must; stops it in reverse."""

    def __init__(
        self, network: Network, options: Options, directory: Path, state_dir: Path, front: socket.socket
    ) -> None:
        self._network = network
        self._options = options
        self._timings = options.timings
        if Defect.STOP_TIMEOUT_TOO_SHORT in options.defects:
            self._timings = replace(options.timings, stop_timeout_s=STOP_TOO_SHORT_S)
        self._directory = directory
        self._state_dir = state_dir
        self._password = secrets.token_urlsafe(18)
        self._owner_password = secrets.token_urlsafe(18)
        self._events: deque[AuroraEvent] = deque(maxlen=_EVENTS_KEPT)
        self._stack = AsyncExitStack()
        self._doors = {"bank": front, "aws": network.outside()}

    @property
    def base_url(self) -> str:
        """Where the load goes."""
        return _url(self._doors["bank"])

    @property
    def aws_endpoint(self) -> str:
        """Where the AWS API answers."""
        return _url(self._doors["aws"])

    async def start(self, step: Callable[[str], None]) -> None:
        """Start, telling each step; return when healthy. What was begun is stopped by `stop` only."""
        balancer, fleets, cache = self._parts()
        step("load balancer")
        await self._begin(balancer)
        step("database, cache, AWS state")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._begin(fleets[REGION]))
            group.create_task(self._begin(cache))
            serving = group.create_task(self._serve(balancer, fleets, cache))
        plane = serving.result()
        step("tasks")
        await self._until_healthy(plane)
        step("alarms")
        plane.observe()
        await asyncio.gather(plane.warm(), self._until_quiet(plane))
        plane.protect()

    async def stop(self) -> None:
        """Stop everything that was started; idempotent."""
        await self._stack.aclose()
        for door in self._doors.values():
            door.close()

    def facts(self) -> Facts:
        """Return what a drill's record says of this staging."""
        return Facts(
            name="local",
            account=ACCOUNT,
            region=REGION,
            isolation=self._network.isolation,
            timings=self._options.timings.name,
            base_url=self.base_url,
            versions=versions(self._directory),
            defects=tuple(sorted(defect.value for defect in self._options.defects)),
            generation=self._directory.name,
        )

    def _parts(self) -> tuple[Balancer, dict[str, Fleet], Cache]:
        endpoints = (WRITER_ENDPOINT, READER_ENDPOINT, CACHE_ENDPOINT)
        balancer = Balancer(
            self._network, self._made("balancer"), front=self._doors["bank"],
            endpoints=(*endpoints, *(f"{PREFIX}{name}" for name in endpoints)),
            timings=self._balancer_timings(),
        )  # fmt: skip
        aurora, settings = self._made("aurora"), self._aurora_settings()
        ways: dict[str, Endpoints] = {REGION: balancer, DR_REGION: EndpointsElsewhere(balancer)}
        fleets = {
            region: Fleet(self._network, aurora, settings, names, self._events.append)
            for region, names in ways.items()
        }
        cache = Cache(self._network, balancer, self._made("cache"), timings=self._cache_timings())
        return balancer, fleets, cache

    async def _begin(self, part: Balancer | Fleet | Cache) -> None:
        self._stack.push_async_callback(part.stop)
        await part.start()

    async def _serve(self, balancer: Balancer, fleets: dict[str, Fleet], cache: Cache) -> ControlPlane:
        """Answer for AWS, and start tasks; they wait for the database themselves."""
        # moto takes seconds to load: in a thread, while the databases start
        platform = await asyncio.to_thread(self._make_platform)
        from staging.local.control_plane.plane import ControlPlane, DataPlane  # noqa: PLC0415 - see above

        inside = self._network.listener("public")
        self._stack.push_async_callback(fleets[DR_REGION].stop)  # it starts when something is restored there
        data = DataPlane(
            network=self._network, fleets=fleets, grounds=self._grounds(balancer, inside, platform),
            aurora_events=self._events, backups=self._made("backups"), balancer=balancer, cache=cache,
        )  # fmt: skip
        doors = (self._doors["aws"], _listening(inside))
        trail = self._state_dir / "audit.jsonl"
        plane = ControlPlane(platform, data, self._timings, trail, doors, defects=self._options.defects)
        self._stack.push_async_callback(plane.stop)
        plane.serve()
        return plane

    def _grounds(self, balancer: Balancer, inside: Address, platform: TwoRegions) -> dict[str, BankGround]:
        defects, tasks = of_part(self._options.defects, "bank"), self._made("tasks")
        later = of_part(self._options.defects, "later"), self._options.tasks
        return {
            REGION: BankGround(
                self._network, balancer, inside, tasks, defects=defects, later=later, platform=platform
            ),
            DR_REGION: BankGround(
                self._network, balancer, inside, tasks, defects=defects, platform=platform.standby,
                endpoints=PREFIX, receipts=DR_RECEIPTS,
            ),
        }  # fmt: skip

    def _make_platform(self) -> TwoRegions:
        from staging.local.control_plane.seed import seed  # noqa: PLC0415 - loads moto
        from staging.local.control_plane.spoil import spoil  # noqa: PLC0415 - too

        one_zone = Defect.TASKS_IN_ONE_AZ in self._options.defects
        platform = seed(
            timings=self._timings,
            desired_count=self._options.tasks,
            service_subnets=["app-a"] if one_zone else ["app-a", "app-b"],
            user=_USER,
            password=self._password,
            owner=_OWNER,
            owner_password=self._owner_password,
            on_demand_base=Defect.NO_ON_DEMAND_BASE not in self._options.defects,
            falls_back=Defect.NO_FALLBACK not in self._options.defects,
        )
        spoil(self._options.defects)
        return platform

    async def _until_healthy(self, plane: ControlPlane) -> None:
        wanted = self._options.tasks
        if not await until(lambda: plane.healthy_tasks() >= wanted, within_s=_HEALTHY_WITHIN_S):
            count = f"{plane.healthy_tasks()} of {wanted}"
            raise NotHealthyError(f"only {count} tasks were healthy after {_HEALTHY_WITHIN_S:.0f} s")

    async def _until_quiet(self, plane: ControlPlane) -> None:
        within_s = max(10.0, _QUIET_WITHIN_PERIODS * self._options.timings.alarm_period_s)
        if not await until(plane.quiet, within_s=within_s):
            raise NotHealthyError(f"alarms were still on after {within_s:.0f} s")

    def _made(self, name: str) -> Path:
        directory = self._directory / name
        directory.mkdir(mode=0o755)
        return directory

    def _aurora_settings(self) -> AuroraSettings:
        timings, planted = self._options.timings, self._options.defects
        return AuroraSettings(
            schema=_SCHEMA, app_user=_USER, app_password=self._password, owner_user=_OWNER,
            owner_password=self._owner_password, database=LEDGER, cluster=LEDGER,
            probe_interval_s=timings.probe_every_s, probe_timeout_s=timings.probe_timeout_s,
            misses=timings.probe_misses, async_standby=Defect.ASYNC_STANDBY in planted,
            synchronous_commit_off=Defect.SYNCHRONOUS_COMMIT_OFF in planted,
            failover_never_triggered=Defect.FAILOVER_NEVER_TRIGGERED in planted,
            wal_archiving_stopped=Defect.WAL_ARCHIVING_STOPPED in planted,
            backup_misses_a_table=Defect.BACKUP_MISSES_A_TABLE in planted,
            restore_misses_a_table=Defect.RESTORE_MISSES_A_TABLE in planted,
            restores_wrong_instant=Defect.RESTORES_WRONG_INSTANT in planted,
            endpoint_not_following=Defect.ENDPOINT_NOT_FOLLOWING in planted,
            failover_delay_s=FAILOVER_DELAY_S if Defect.FAILOVER_TOO_SLOW in planted else 0.0,
            schema_defects=sql_of(of_part(planted, "ledger")),
        )  # fmt: skip

    def _balancer_timings(self) -> BalancerTimings:
        timings, planted = self._timings, self._options.defects
        too_many = CHECKS_TOO_MANY if Defect.SLOW_HEALTH_CHECK in planted else 0
        return BalancerTimings(
            check_interval_s=timings.check_every_s, check_timeout_s=timings.check_timeout_s,
            healthy_threshold=timings.checks_to_healthy,
            unhealthy_threshold=too_many or timings.checks_to_unhealthy,
            waits_for_health=Defect.REGISTERED_BEFORE_READY not in planted,
        )  # fmt: skip

    def _cache_timings(self) -> CacheTimings:
        timings = self._options.timings
        return CacheTimings(
            probe_interval_s=timings.probe_every_s, probe_timeout_s=timings.probe_timeout_s,
            misses=timings.probe_misses,
        )  # fmt: skip


async def until(condition: Callable[[], bool], *, within_s: float) -> bool:
    """Wait for a condition that nobody announces; tell whether it came true."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _url(door: socket.socket) -> str:
    host, port = door.getsockname()[:2]
    return f"http://{host}:{port}"


def _listening(address: Address) -> socket.socket:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((address.host, address.port))
    door.listen()
    return door
