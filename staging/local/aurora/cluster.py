"""A PostgreSQL cluster that fails over as Aurora does: what the control plane asks it to do."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from typing import TYPE_CHECKING, Any

from staging.local import binaries
from staging.local.aurora import birth
from staging.local.aurora.controller import SHUT_DOWN, Controller
from staging.local.aurora.instance import Instance, Site
from staging.local.aurora.link import FAILURES, answer, connect
from staging.local.aurora.state import (
    SUPERUSER,
    AuroraError,
    AuroraEvent,
    AuroraSettings,
    ClusterState,
    Endpoints,
)
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from staging.local.network import Network

log = logging.getLogger("staging.local.aurora")

START_S = 60.0
DELAYED_START_S = 150.0
REBOOT_S = 60.0
SHUT_S = 5.0
EXECUTE_S = 10.0


class Aurora:
    """One cluster: a writer, a reader that every commit waits for, and their controller."""

    def __init__(
        self,
        network: Network,
        directory: Path,
        settings: AuroraSettings,
        endpoints: Endpoints,
        on_event: Callable[[AuroraEvent], None],
    ) -> None:
        self._network = network
        self._directory = directory.resolve()
        self._settings = settings
        self._endpoints = endpoints
        self._on_event = on_event
        self._controller: Controller | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Create the cluster in an empty directory; return when the reader is home. Once per object."""
        controller = self._controller = Controller(await self._site(), self._endpoints, self._on_event)
        try:
            for instance in controller.members:
                instance.prepare()
            await birth.bear(controller.writer)
            self._watch = asyncio.create_task(controller.watch())
            within_s = DELAYED_START_S if self._settings.async_standby else START_S
            await until(self._whole, "the cluster is whole", within_s=within_s)
        except BaseException:
            await self.stop()
            raise
        controller.status = "available"

    async def stop(self) -> None:
        """End every process of the cluster. What it wrote stays in the directory. Idempotent."""
        if self._controller is None:
            return
        controller, self._controller = self._controller, None
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await controller.stop_homecoming()
        await asyncio.gather(*(self._retire(instance) for instance in controller.members))
        await controller.signposts.remove()

    def describe(self) -> ClusterState:
        """Return what the controller last saw, without asking anybody."""
        controller = self._running()
        return ClusterState(controller.status, tuple(instance.member() for instance in controller.members))

    async def execute(self, sql: str) -> list[dict[str, Any]]:
        """Run one statement on the writer, as the application's user; return its rows.

        Raise `AuroraError`, whose cause is the database's own error, when that does not work.
        """
        try:
            return await self._rows(sql)
        except FAILURES as error:
            raise AuroraError(f"execute: {error}") from error

    def check_failover(self, target: str | None) -> None:
        """Raise `FailoverRefusedError` if this failover would be refused now, as far as is known."""
        self._running().require_candidate(target)

    async def failover(self, target: str | None = None) -> None:
        """Kill the writer and promote the reader, as `failover_db_cluster` does; return when that is done."""
        controller = self._running()
        controller.require_candidate(target)
        async with controller.turn:
            controller.require_candidate(target)  # the loop may have been quicker
            await controller.require_answer()
            await controller.fail_over("requested")

    async def crash(self, instance_id: str) -> None:
        """Kill every process of one instance at once, as `aurora_inject_crash` does."""
        instance = self._instance(instance_id)
        if instance is self._running().reader:
            await self._running().stop_homecoming()
        await instance.fence()

    async def reboot(self, instance_id: str) -> None:
        """Shut one instance down in order and start it again, without a failover."""
        controller, instance = self._running(), self._instance(instance_id)
        async with controller.turn:
            if instance is controller.reader:
                await controller.degrade()
            instance.status = "rebooting"
            await instance.shut(signal.SIGINT, within_s=SHUT_S)
            controller.announce(instance.id, SHUT_DOWN, "availability")
            if instance is controller.writer:
                await self._restart(instance)
        await until(lambda: _available(instance), f"{instance_id} is back", within_s=REBOOT_S)

    async def _restart(self, writer: Instance) -> None:
        """Start it, and keep the turn until it answers, lest the controller replace it."""
        writer.start()
        writer.status = "rebooting"
        await until(lambda: self._answers(writer), f"{writer.id} answers", within_s=REBOOT_S)

    async def _answers(self, instance: Instance) -> bool:
        await self._running().look_at(instance)
        return instance.seen is not None

    async def _site(self) -> Site:
        programs = await asyncio.to_thread(binaries.postgres_bin, self._directory)
        site = Site(self._network, self._directory, self._settings, programs, secrets.token_urlsafe(24))
        site.passfile.touch(mode=0o600)
        site.passfile.write_text(f"*:*:*:{SUPERUSER}:{site.password}\n")
        for path in (self._directory, site.passfile):
            binaries.own(path)
        return site

    async def _whole(self) -> bool:
        return self._running().reader.home

    async def _retire(self, instance: Instance) -> None:
        await instance.shut(signal.SIGQUIT, within_s=SHUT_S)
        self._network.release(instance.address)

    async def _rows(self, sql: str) -> list[dict[str, Any]]:
        connection = await self._application()
        try:
            rows = await answer(connection, connection.fetch(sql), EXECUTE_S)
        finally:
            connection.terminate()
        return [dict(row) for row in rows]

    async def _application(self) -> Any:
        settings = self._settings
        host, port = self._network.route("public", self._running().writer.address)
        return await connect(
            host=host,
            port=port,
            user=settings.app_user,
            password=settings.app_password,
            database=settings.database,
            within_s=EXECUTE_S,
        )

    def _instance(self, name: str) -> Instance:
        for instance in self._running().members:
            if instance.id == name:
                return instance
        raise AuroraError(f"DBInstance {name} is no member of cluster {self._settings.cluster}")

    def _running(self) -> Controller:
        if self._controller is None:
            raise AuroraError(f"cluster {self._settings.cluster} is not running")
        return self._controller


async def _available(instance: Instance) -> bool:
    return instance.status == "available"
