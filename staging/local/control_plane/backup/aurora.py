"""Aurora clusters in AWS Backup: a recovery point is a cluster snapshot of the type `awsbackup`."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from staging.local.aurora.state import AuroraError
from staging.local.control_plane.backup import manifest
from staging.local.control_plane.backup.kinds import Captured, tags_of
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import arn
from staging.local.control_plane.rds.records import new_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from staging.local.backups import Progress
    from staging.local.control_plane.backup.points import RecoveryPoint
    from staging.local.control_plane.rds.api import Rds
    from staging.local.control_plane.rds.databases import Databases

log = logging.getLogger(__name__)

_TABLES = """
SELECT relname::text AS name, pg_relation_filepath(oid) AS path FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


class AuroraKind:
    """Implements `kinds.Kind`. The content of a recovery point is moto's record of the snapshot."""

    name = "Aurora"

    def __init__(self, rds: Rds, databases: Databases) -> None:
        self._rds = rds
        self._databases = databases

    def resources(self, region: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Return the clusters."""
        for cluster in list(backend("rds", region).clusters.values()):
            yield cluster.db_cluster_arn, tags_of(cluster.tags)

    def point_arn(self, region: str, job: str) -> str:
        """Return the ARN of a cluster snapshot, which is what the recovery point is."""
        return arn("rds", f"cluster-snapshot:awsbackup:{job.lower()}", region)

    def key_arn(self, resource_arn: str, vault_key: str) -> str:  # noqa: ARG002 - of the protocol
        """Return the cluster's key: AWS encrypts its snapshots with that, whatever the vault's is."""
        region = resource_arn.split(":")[3]
        return str(self._databases.cluster(region, resource_arn).kms_key_id)

    async def capture(self, point: RecoveryPoint, on_progress: Callable[[Progress], None]) -> Captured:
        """Take a base backup."""
        cluster = self._databases.cluster(point.region, point.resource_arn)
        name = point.arn.partition(":cluster-snapshot:")[2]
        record = new_snapshot(point.region, cluster, name, "awsbackup", cluster.tags)
        async with self._databases.turn(cluster):
            taken = await self._rds.snapshots.fill(
                record, cluster.db_cluster_identifier, point.path, on_progress
            )
        record.tables = await self._tables(cluster)
        return Captured(taken_at=taken.taken_at, size_bytes=taken.size_bytes, content=record)

    async def _tables(self, record: Any) -> dict[str, str]:
        """Return where each table lies in the base backup: nobody can tell that from its files alone."""
        name = record.db_cluster_identifier
        try:
            rows = await self._databases.fleet_of(record).cluster(name).execute(_TABLES)
        except AuroraError as error:
            log.info("nobody can say where the tables of %s lie: %s", name, error)
            return {}
        return {row["name"]: row["path"] for row in rows}

    def adopt(self, point: RecoveryPoint, source: RecoveryPoint) -> None:
        """Make the record of the copied snapshot, with the copy's own key and bytes."""
        record = copy.copy(source.content)
        record.backend = backend("rds", point.region)
        record.db_cluster_snapshot_identifier = point.arn.partition(":cluster-snapshot:")[2]
        record.kms_key_id = point.key_arn
        record.cluster = copy.copy(source.content.cluster)
        record.cluster.kms_key_id = point.key_arn
        record.source_db_cluster_snapshot_arn = source.arn
        record.taken = replace(source.content.taken, path=point.path)
        point.content = record
        record.backend.cluster_snapshots[record.db_cluster_snapshot_identifier] = record

    def forget(self, point: RecoveryPoint) -> None:
        """Remove the record of the snapshot."""
        name = point.arn.partition(":cluster-snapshot:")[2]
        backend("rds", point.region).cluster_snapshots.pop(name, None)

    def metadata(self, point: RecoveryPoint) -> Mapping[str, str]:
        """Return what RestoreDBClusterFromSnapshot takes."""
        cluster = point.content.cluster
        return {
            "DBClusterIdentifier": cluster.db_cluster_identifier,
            "Engine": cluster.engine,
            "EngineMode": cluster.engine_mode,
            "Port": str(cluster.port),
            "DatabaseName": cluster.database_name,
            "DBSubnetGroupName": cluster.db_subnet_group_name,
            "KmsKeyId": point.key_arn,
        }

    async def restore(
        self, point: RecoveryPoint, path: Path, metadata: Mapping[str, str],
        tags: Sequence[Mapping[str, str]], on_progress: Callable[[Progress], None],
    ) -> str:  # fmt: skip
        """Make a cluster without instances."""
        params: dict[str, Any] = {
            "DBClusterIdentifier": metadata["DBClusterIdentifier"],
            "DBSubnetGroupName": metadata.get("DBSubnetGroupName"),
            "KmsKeyId": point.key_arn,
            "Tags": tags,
        }
        self._databases.reflect()
        cluster = self._rds.restores.prepare(point.region, point.content.cluster, params)
        try:
            source = replace(point.content.taken, path=path)
            await self._rds.restores.carry_out(cluster, source, on_progress)
        except BaseException:
            self._rds.restores.forget(cluster)  # a restore job that failed leaves no cluster
            raise
        return str(cluster.db_cluster_arn)

    def certify(self, path: Path) -> None:
        """Write the manifest anew."""
        manifest.rewrite(path)
