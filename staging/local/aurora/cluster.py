"""A PostgreSQL cluster that fails over as Aurora does: what the control plane asks it to do."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any

from staging.local.aurora import birth, statements
from staging.local.aurora.controller import SHUT_DOWN, Controller
from staging.local.aurora.instance import Instance
from staging.local.aurora.link import FAILURES
from staging.local.aurora.state import (
    AuroraError,
    AuroraEvent,
    ClusterState,
    ClusterStatus,
    Endpoints,
    ExecuteRole,
    Role,
)
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from staging.local.aurora.site import Site

log = logging.getLogger("staging.local.aurora")

START_S = 60.0
DELAYED_START_S = 150.0
REBOOT_S = 60.0
SHUT_S = 5.0
SHUT_CLEAN_S = 30.0

CREATED = "DB instance created"
DELETED = "DB instance deleted"
RENAMED = "Renamed cluster from {} to {}."


class Aurora:
    """One cluster: its data, a writer on them, and a reader that every commit waits for."""

    def __init__(
        self, site: Site, name: str, endpoints: Endpoints, on_event: Callable[[AuroraEvent], None]
    ) -> None:
        self.site = site
        self.status: ClusterStatus = "creating"  # but for what its controller knows better
        self._name = name
        self._endpoints = endpoints
        self._on_event = on_event
        self._controller: Controller | None = None
        self._watch: asyncio.Task[None] | None = None
        self._members_made = 0
        # held by whoever adds, removes or renames
        self._changing = asyncio.Lock()

    @property
    def name(self) -> str:
        """What it is called now."""
        return self._name

    @property
    def writer(self) -> Instance | None:
        """The server that takes writes, if there is one."""
        return self._controller.writer if self._controller else None

    async def bear(self) -> None:
        """Create the first cluster, from nothing; return when the reader is home."""
        await asyncio.to_thread(self.site.make)
        writer = self._instance_for(f"{self._name}-1", "data-a")
        controller = self._controller = self._control(writer)
        try:
            controller.reader = self._instance_for(f"{self._name}-2", "data-b")
            for instance in controller.members:
                instance.prepare()
            await birth.bear(writer)
            await self._run(controller)
            self.status = "available"
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End every process of the cluster. What it wrote stays in the directory. Idempotent."""
        if self._controller is None:
            return
        controller, self._controller = self._controller, None
        await self._stop_watching(controller)
        await asyncio.gather(*(self._retire(instance) for instance in controller.members))
        await controller.signposts.remove()

    def describe(self) -> ClusterState:
        """Return what the controller last saw, without asking anybody."""
        controller, resource = self._controller, self.site.resource
        if controller is None:
            return ClusterState(self.status, (), resource)
        status = self.status if self.status == "deleting" else controller.status
        return ClusterState(status, tuple(member.member() for member in controller.members), resource)

    async def execute(self, sql: str, role: ExecuteRole = "app") -> list[dict[str, Any]]:
        """Run one statement on the writer, as the application's user or the tables' owner; return its rows.

        Raise `AuroraError`, whose cause is the database's own error, when that does not work.
        """
        try:
            return await statements.rows(self._running().writer, sql, role)
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
        instance = self.member(instance_id)
        if instance is self._running().reader:
            await self._running().stop_homecoming()
        await instance.fence()

    async def reboot(self, instance_id: str) -> None:
        """Shut one instance down in order and start it again, without a failover."""
        controller, instance = self._running(), self.member(instance_id)
        async with controller.turn:
            if instance is controller.reader:
                await controller.degrade(instance)
            instance.status = "rebooting"
            await instance.shut(signal.SIGINT, within_s=SHUT_S)
            controller.announce(instance.id, SHUT_DOWN, "availability")
            if instance is controller.writer:
                instance.configure(awaits=instance.awaits)
                await self._restart(instance)
        await until(lambda: _available(instance), f"{instance_id} is back", within_s=REBOOT_S)

    async def rename(self, new: str) -> None:
        """Bear another name. Who is connected stays connected; the endpoints follow their own name."""
        async with self._changing:
            old, self._name = self._name, new
            if (controller := self._controller) is None:
                return
            async with controller.turn:
                controller.name = new
                await controller.point()
                controller.announce(new, RENAMED.format(old, new), "notification")

    async def rename_member(self, instance_id: str, new: str) -> None:
        """Call an instance otherwise, which restarts it, as on AWS."""
        async with self._changing:
            self.member(instance_id).id = new
            await self.reboot(new)

    async def add_member(self, name: str, subnet: str) -> None:
        """Put an instance on the data: the first is the writer, the second its reader."""
        async with self._changing:
            if self._controller is None:
                await self._open(name, subnet)
            else:
                await self._join(self._controller, name, subnet)
            self._running().announce(name, CREATED, "creation")

    async def remove_member(self, name: str) -> None:
        """Take an instance away; the data stay, even without the last one."""
        async with self._changing:
            controller, instance = self._running(), self.member(name)
            if instance is controller.writer and controller.reader is not None:
                await until(self._fit, f"the reader of {self._name} is in sync", within_s=START_S)
                await self.failover()
            if controller.reader is None:
                await self._close(controller)
            else:
                await self._leave(controller, instance)
            controller.announce(name, DELETED, "deletion")

    def member(self, name: str) -> Instance:
        """Return one of its servers by its present name."""
        for instance in self._controller.members if self._controller else ():
            if instance.id == name:
                return instance
        raise AuroraError(f"DBInstance {name} is no member of cluster {self._name}")

    async def _open(self, name: str, subnet: str) -> None:
        writer = self._instance_for(name, subnet)
        writer.prepare(self.site.volume)
        controller = self._controller = self._control(writer)
        try:
            await self._run(controller)
        except BaseException:
            await self._close(controller)
            raise

    async def _join(self, controller: Controller, name: str, subnet: str) -> None:
        if controller.reader is not None:
            raise AuroraError(f"cluster {self._name} has two instances; the double has room for no more")
        reader = self._instance_for(name, subnet)
        reader.prepare()
        async with controller.turn:
            controller.reader = reader
        try:
            await self._until_whole(controller)
        except BaseException:
            await self._leave(controller, reader)
            raise

    async def _leave(self, controller: Controller, reader: Instance) -> None:
        async with controller.turn:
            await controller.dismiss(reader)
        await self._retire(reader)
        await asyncio.to_thread(reader.remove)

    async def _close(self, controller: Controller) -> None:
        """End the last server in order, and keep its data."""
        writer = controller.writer
        await self._stop_watching(controller)
        await controller.signposts.remove()
        await writer.shut(signal.SIGINT, within_s=SHUT_CLEAN_S)
        self.site.network.release(writer.address)
        writer.data.rename(self.site.volume)
        await asyncio.to_thread(writer.remove)
        self.status, self._controller = "available", None

    async def _run(self, controller: Controller) -> None:
        """Watch over the servers, and wait until all is well."""
        if controller.writer.exited:
            controller.writer.start()
        self._watch = asyncio.create_task(controller.watch())
        await self._until_whole(controller)
        controller.status = "available"

    async def _until_whole(self, controller: Controller) -> None:
        async def whole() -> bool:
            reader = controller.reader
            return controller.writer.status == "available" and (reader is None or reader.home)

        within_s = DELAYED_START_S if self.site.settings.async_standby else START_S
        await until(whole, f"cluster {self._name} is whole", within_s=within_s)

    async def _stop_watching(self, controller: Controller) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await controller.stop_homecoming()

    def _control(self, writer: Instance) -> Controller:
        return Controller(self._name, writer, self._endpoints, self._on_event)

    def _instance_for(self, name: str, subnet: str) -> Instance:
        self._members_made += 1
        role: Role = "reader" if self._controller else "writer"
        return Instance(self.site, f"member-{self._members_made}", name, subnet, role)

    async def _restart(self, writer: Instance) -> None:
        """Start it, and keep the turn until it answers, lest the controller replace it."""
        writer.start()
        writer.status = "rebooting"
        await until(lambda: self._answers(writer), f"{writer.id} answers", within_s=REBOOT_S)

    async def _answers(self, instance: Instance) -> bool:
        await self._running().look_at(instance)
        return instance.seen is not None

    async def _fit(self) -> bool:
        return self._running().fit()

    async def _retire(self, instance: Instance) -> None:
        await instance.shut(signal.SIGQUIT, within_s=SHUT_S)
        self.site.network.release(instance.address)

    def _running(self) -> Controller:
        if self._controller is None:
            raise AuroraError(f"cluster {self._name} has no instance that runs")
        return self._controller


async def _available(instance: Instance) -> bool:
    return instance.status == "available"
