"""All clusters of the double of Aurora: born, restored, renamed, deleted; each with its archive."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import string
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from staging.local.aurora.cluster import Aurora
from staging.local.aurora.site import Site
from staging.local.aurora.state import AuroraError, AuroraEvent, AuroraSettings, ClusterState, Endpoints
from staging.local.backups import finale, restore, snapshots
from staging.local.backups.archive import Archive
from staging.local.backups.archivist import Archivist
from staging.local.backups.points import OnProgress, PointInTime, Snapshot
from staging.local.backups.restore import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from staging.local.network import Network

log = logging.getLogger("staging.local.aurora")

ARCHIVES_KEPT = 2  # of deleted clusters


@dataclass
class Vessel:
    """A cluster, its archive, and who keeps it."""

    aurora: Aurora
    archive: Archive
    archivist: Archivist
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of whoever changes what is on its data
    keeping: asyncio.Task[None] | None = None

    def keep(self) -> None:
        """Begin to archive."""
        self.keeping = asyncio.create_task(self.archivist.run())

    async def stop_keeping(self) -> None:
        """End what the archivist does."""
        if self.keeping is not None:
            self.keeping.cancel()
            await asyncio.wait({self.keeping})
            self.keeping = None


class Fleet:
    """The clusters of one region by name. The endpoints follow the one that bears the name of the settings.

    Fleets may share a directory. What is copied from one to another can be restored there when they share
    their settings as well.
    """

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
        self._vessels: dict[str, Vessel] = {}
        self._kept: list[Archive] = []  # of clusters that are gone
        self._under_way: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Bear the first cluster: two instances, everything archived from its birth."""
        name = self._settings.cluster
        vessel = self._vessels[name] = self._vessel(name)
        await vessel.aurora.bear()
        vessel.keep()

    async def stop(self) -> None:
        """End every process of every cluster. What they wrote stays. Idempotent."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way))
        vessels = list(self._vessels.values())
        await asyncio.gather(*(vessel.stop_keeping() for vessel in vessels))
        await asyncio.gather(*(vessel.aurora.stop() for vessel in vessels))

    def describe(self) -> dict[str, ClusterState]:
        """Return every cluster as its controller last saw it, without asking anybody."""
        return {name: vessel.aurora.describe() for name, vessel in list(self._vessels.items())}

    def cluster(self, name: str) -> Aurora:
        """Return one cluster. Raise `AuroraError` when nobody bears this name."""
        return self._of(name).aurora

    def restorable(self, name: str) -> tuple[datetime, datetime] | None:
        """Return the earliest and the latest instant that can be restored, of a deleted cluster, too."""
        archive = self._archive(name)
        return archive.restorable if archive else None

    async def snapshot(self, name: str, into: Path, on_progress: OnProgress) -> Snapshot:
        """Copy a cluster as it is now, with or without instances, into a directory that is not there yet."""
        vessel = self._existing(name)
        with self._noted():
            if vessel.aurora.writer is not None:
                return await snapshots.take(vessel.aurora, into, on_progress)
            async with vessel.turn:
                vessel.archive.reopen()  # even a copy writes a little log
                taken = await snapshots.take(vessel.aurora, into, on_progress)
                await finale.note(vessel.aurora.site, vessel.archive)
                return taken

    async def restore(self, name: str, source: Snapshot | PointInTime, on_progress: OnProgress) -> None:
        """Make a new cluster without instances, or raise `RestoreFailedError` and leave nothing of it."""
        self._require_free(name)
        vessel = self._vessels[name] = self._vessel(name)
        try:
            with self._noted():
                await asyncio.to_thread(vessel.aurora.site.make)
                await self._fill(vessel.aurora, source, on_progress)
                if self._settings.restore_misses_a_table:
                    await snapshots.empty_a_table(vessel.aurora.site, vessel.aurora.site.volume)
        except BaseException:
            del self._vessels[vessel.aurora.name]
            await asyncio.to_thread(_remove, vessel, keep_archive=False)
            raise
        vessel.aurora.status = "available"
        vessel.keep()

    async def add_member(self, cluster: str, instance: str, subnet: str) -> None:
        """Make an instance; return when it is available. The first of a cluster is its writer."""
        if any(member.id == instance for state in self.describe().values() for member in state.members):
            raise AuroraError(f"DBInstance {instance} exists already")
        vessel = self._existing(cluster)
        async with vessel.turn:
            if vessel.aurora.writer is None:
                vessel.archive.reopen()
            await vessel.aurora.add_member(instance, subnet)

    async def remove_member(self, cluster: str, instance: str) -> None:
        """Delete an instance; before a writer, its reader is promoted. The data stay in any case."""
        vessel = self._existing(cluster)
        async with vessel.turn:
            await vessel.aurora.remove_member(instance)
            if vessel.aurora.writer is None:
                await finale.note(vessel.aurora.site, vessel.archive)

    async def delete(self, name: str, *, keep_archive: bool) -> None:
        """End a cluster and remove its files; what it archived can go on being restored from, if kept."""
        vessel = self._existing(name)
        vessel.aurora.status = "deleting"
        for member in reversed(vessel.aurora.describe().members):
            await self.remove_member(name, member.id)
        async with vessel.turn:
            await vessel.stop_keeping()
            del self._vessels[vessel.aurora.name]
            await asyncio.to_thread(_remove, vessel, keep_archive=keep_archive)
        if keep_archive:
            self._kept.append(vessel.archive)
            await asyncio.to_thread(self._forget_the_oldest)

    async def rename(self, name: str, new: str) -> None:
        """Call a cluster otherwise; the endpoints follow whoever bears their name."""
        self._require_free(new)
        vessel = self._vessels[new] = self._existing(name)
        del self._vessels[name]
        vessel.archive.cluster = new
        await vessel.aurora.rename(new)

    async def rename_member(self, instance: str, new: str) -> None:
        """Call an instance otherwise, which restarts it, as on AWS."""
        owners = {m.id: name for name, state in self.describe().items() for m in state.members}
        if new in owners:
            raise AuroraError(f"DBInstance {new} exists already")
        if instance not in owners:
            raise AuroraError(f"DBInstance {instance} does not exist")
        await self.cluster(owners[instance]).rename_member(instance, new)

    async def _fill(self, aurora: Aurora, source: Snapshot | PointInTime, on_progress: OnProgress) -> None:
        if isinstance(source, Snapshot):
            replay = await asyncio.to_thread(snapshots.replay, source.path)
            await restore.restore(aurora.site, source.path, replay, on_progress)
            return
        archive = self._archive(source.cluster)
        if archive is None:
            raise AuroraError(f"there is no archive of a cluster {source.cluster}")
        with archive.reading():
            await self._bring_up_to_date(archive, source)
            route = archive.route(None if self._settings.restores_wrong_instant else source.at)
            found = {"restore_command": f'cp "{archive.wal}/%f" "%p"', **route.target}
            replay = Replay(found, route.base.start, route.end)
            await restore.restore(aurora.site, route.base.path, replay, on_progress)

    async def _bring_up_to_date(self, archive: Archive, source: PointInTime) -> None:
        """Let a living cluster archive what it has, when that is asked for."""
        reach = archive.restorable
        if source.at is not None and reach is not None and source.at <= reach[1]:
            return
        for vessel in self._vessels.values():
            if vessel.archive is archive:
                await vessel.archivist.flush()

    def _vessel(self, name: str) -> Vessel:
        resource = "cluster-" + "".join(
            secrets.choice(string.ascii_uppercase + string.digits) for _ in range(26)
        )
        site = Site(self._network, self._directory, resource, self._settings)
        aurora = Aurora(site, name, self._endpoints, self._on_event)
        archive = Archive(site.archive_directory, name)
        return Vessel(aurora, archive, Archivist(aurora, archive, self._settings.archive_timeout_s))

    def _of(self, name: str) -> Vessel:
        if name not in self._vessels:
            raise AuroraError(f"DBCluster {name} does not exist")
        return self._vessels[name]

    def _existing(self, name: str) -> Vessel:
        vessel = self._of(name)
        if vessel.aurora.status == "creating":
            raise AuroraError(f"DBCluster {name} is being created")
        return vessel

    def _archive(self, name: str) -> Archive | None:
        """Return the archive of a cluster by its name, or by its resource id; a living one comes first."""
        living = [vessel.archive for vessel in self._vessels.values()]
        for archive in [*living, *reversed(self._kept)]:
            if name in (archive.cluster, archive.directory.name):
                return archive
        return None

    def _require_free(self, name: str) -> None:
        if name in self._vessels:
            raise AuroraError(f"DBCluster {name} exists already")

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Know what is under way, so that `stop` can end it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be ended")
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)

    def _forget_the_oldest(self) -> None:
        while len(self._kept) > ARCHIVES_KEPT:
            shutil.rmtree(self._kept.pop(0).directory)


def _remove(vessel: Vessel, *, keep_archive: bool) -> None:
    site = vessel.aurora.site
    shutil.rmtree(site.directory)
    if not keep_archive:
        shutil.rmtree(site.archive_directory)
