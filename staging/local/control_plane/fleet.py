"""What the control plane asks of the database clusters, and where restores come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from staging.local.aurora.state import ClusterState
    from staging.local.backups import PointInTime, Progress, Snapshot

Role = Literal["app", "owner"]


class Cluster(Protocol):
    """One cluster, asked by name from the fleet."""

    def describe(self) -> ClusterState:
        """Return the cluster as its controller last saw it."""

    async def failover(self, target: str | None = None) -> None:
        """Promote a reader; return when it is the writer."""

    async def reboot(self, instance_id: str) -> None:
        """Restart one instance; return when it answers again."""

    async def crash(self, instance_id: str) -> None:
        """Kill an instance without warning."""

    async def execute(self, sql: str, role: Role = "app") -> list[dict[str, Any]]:
        """Run one statement on the writer as the application's user, or as the tables' owner."""


class Fleet(Protocol):
    """Every cluster of one region."""

    def describe(self) -> Mapping[str, ClusterState]:
        """Return every cluster by its identifier, asking nobody."""

    def cluster(self, name: str) -> Cluster:
        """Return one cluster; AuroraError when there is none."""

    def restorable(self, name: str) -> tuple[datetime, datetime] | None:
        """Return the earliest and the latest instant that a restore reaches; None without an archive.

        `name` is an identifier or a resource id, with which also a deleted cluster is found.
        """

    async def snapshot(self, name: str, into: Path, on_progress: Callable[[Progress], None]) -> Snapshot:
        """Take a self-contained base backup."""

    async def restore(
        self, name: str, source: Snapshot | PointInTime, on_progress: Callable[[Progress], None]
    ) -> None:
        """Make a cluster without instances; RestoreFailedError leaves nothing behind."""

    async def add_member(self, cluster: str, instance: str, subnet: str) -> None:
        """Start an instance; the first is the writer."""

    async def remove_member(self, cluster: str, instance: str) -> None:
        """End an instance."""

    async def delete(self, name: str, *, keep_archive: bool) -> None:
        """End the cluster, and remove its files."""

    async def rename(self, name: str, new: str) -> None:
        """Give the cluster another name; the endpoints follow the name."""

    async def rename_member(self, instance: str, new: str) -> None:
        """Give an instance another name."""
