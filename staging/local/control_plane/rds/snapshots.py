"""RDS calls on cluster snapshots: real base backups on disk, each under its own name."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.protocol import AwsError
from staging.local.control_plane.rds.records import new_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from staging.local.backups import Progress, Snapshot
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.rds.databases import Databases

_OF_AWS_BACKUP = "awsbackup"


class Snapshots:
    """Moto has the records, `root` the bytes; those of AWS Backup lie in its vaults."""

    def __init__(self, databases: Databases, root: Path) -> None:
        self._databases = databases
        self._root = root

    def register(self, front: Front) -> None:
        """Answer for snapshots."""
        front.regional("rds", "CreateDBClusterSnapshot")(self._create)
        front.regional("rds", "DeleteDBClusterSnapshot")(self._delete)

    def _create(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        cluster = self._databases.cluster(region, params["DBClusterIdentifier"])
        if getattr(cluster, "doing", "") not in ("", "backing-up"):
            message = f"DB cluster {cluster.db_cluster_identifier} is currently {cluster.doing}."
            raise AwsError("InvalidDBClusterStateFault", message)
        tags = params.get("Tags")
        record = self.prepare(region, cluster, params["DBClusterSnapshotIdentifier"], tags)
        cluster.doing = "backing-up"
        self._databases.begin(self._take_of_living(record, cluster))
        return {"DBClusterSnapshot": record}

    async def _take_of_living(self, record: Any, cluster: Any) -> None:
        async with self._databases.turn(cluster):
            try:
                await self.take(record, cluster.db_cluster_identifier)
            finally:
                if cluster.doing == "backing-up":
                    cluster.doing = ""

    def prepare(
        self, region: str, cluster: Any, name: str, tags: Sequence[Mapping[str, str]] | None = None
    ) -> Any:
        """Make the record of a manual snapshot; the bytes come with `take`."""
        name = name.lower()
        if name in backend("rds", region).cluster_snapshots:
            why = f"a snapshot with the identifier {name} already exists."
            raise AwsError("DBClusterSnapshotAlreadyExistsFault", f"Cannot create the snapshot because {why}")
        return new_snapshot(region, cluster, name, "manual", tags)

    async def take(self, record: Any, cluster: str) -> None:
        """Take the base backup of a manual snapshot."""
        name = record.db_cluster_snapshot_identifier
        into = self._root / record.region / "rds" / name
        self._announce(name, "Creating manual cluster snapshot")
        await self.fill(record, cluster, into, _percent_of(record))
        self._announce(name, "Manual cluster snapshot created")

    async def fill(
        self, record: Any, cluster: str, into: Path, on_progress: Callable[[Progress], None]
    ) -> Snapshot:
        """Take the base backup that a record speaks of; it says `failed` when that fails."""
        into.parent.mkdir(parents=True, exist_ok=True)
        try:
            taken = await self._databases.fleet(record.region).snapshot(cluster, into, on_progress)
        except BaseException:
            record.status = "failed"
            raise
        record.taken, record.created = taken, taken.taken_at
        record.percent_progress, record.status = 100, "available"
        return taken

    def find(self, region: str, identifier: str) -> Any:
        """Return the record of a snapshot by name or ARN."""
        name = identifier.partition(":cluster-snapshot:")[2] or identifier
        record = backend("rds", region).cluster_snapshots.get(name)
        if record is None:
            message = f"DBClusterSnapshot {identifier} not found."
            raise AwsError("DBClusterSnapshotNotFoundFault", message, 404)
        return record

    def _delete(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        record = self.find(region, params["DBClusterSnapshotIdentifier"])
        name = record.db_cluster_snapshot_identifier
        if record.snapshot_type == _OF_AWS_BACKUP:
            message = f"The snapshot {name} is managed by AWS Backup and can only be deleted there."
            raise AwsError("InvalidDBClusterSnapshotStateFault", message)
        if record.status not in ("available", "failed"):
            message = f"Cannot delete the snapshot {name}: it is not currently in the available state."
            raise AwsError("InvalidDBClusterSnapshotStateFault", message)
        backend("rds", region).cluster_snapshots.pop(name)
        self._databases.begin(asyncio.to_thread(_remove, self._root / region / "rds" / name))
        record.status = "deleted"
        return {"DBClusterSnapshot": record}

    def _announce(self, name: str, message: str) -> None:
        self._databases.announce(name, "db-cluster-snapshot", message, "backup")


def _percent_of(record: Any) -> Callable[[Progress], None]:
    def note(progress: Progress) -> None:
        record.percent_progress = min(99, 100 * progress.done_bytes // max(1, progress.total_bytes))

    return note


def _remove(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
