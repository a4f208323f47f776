"""Automated backups: what point-in-time recovery has of a cluster, also after its deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import ACCOUNT
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.rds.databases import Databases


class AutomatedBackups:
    """Those of living clusters, and those that were retained when a cluster was deleted."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._retained: dict[str, Any] = {}  # moto's record of a deleted cluster, by its resource id

    def register(self, front: Front) -> None:
        """Answer for automated backups."""
        front.regional("rds", "DescribeDBClusterAutomatedBackups")(self._describe)

    def retain(self, cluster: Any) -> None:
        """Remember a cluster whose write-ahead log outlives it."""
        self._retained[cluster.db_cluster_resource_id] = cluster

    def origin(self, region: str, resource_id: str) -> Any:
        """Return the record of the cluster, living or deleted, that has this resource id."""
        for cluster, _ in self._all(region):
            if cluster.db_cluster_resource_id == resource_id:
                return cluster
        message = f"Automated backup of DB cluster {resource_id} not found."
        raise AwsError("DBClusterAutomatedBackupNotFoundFault", message, 404)

    def _all(self, region: str) -> Iterator[tuple[Any, str]]:
        for cluster in list(backend("rds", region).clusters.values()):
            yield cluster, "active"
        for cluster in list(self._retained.values()):
            if cluster.region == region:
                yield cluster, "retained"

    def _describe(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        name, resource_id = params.get("DBClusterIdentifier"), params.get("DbClusterResourceId")
        found = [
            self._described(region, cluster, status)
            for cluster, status in self._all(region)
            if name in (None, cluster.db_cluster_identifier)
            and resource_id in (None, cluster.db_cluster_resource_id)
        ]
        return {"DBClusterAutomatedBackups": [backup for backup in found if backup["RestoreWindow"]]}

    def _described(self, region: str, cluster: Any, status: str) -> dict[str, Any]:
        name = cluster.db_cluster_identifier
        window = self._databases.fleet_of(cluster).restorable(cluster.db_cluster_resource_id)
        backup_id = f"ab-{cluster.db_cluster_resource_id.removeprefix('cluster-').lower()}"
        return {
            "Engine": cluster.engine,
            "EngineVersion": cluster.engine_version,
            "EngineMode": cluster.engine_mode,
            "DBClusterAutomatedBackupsArn": f"arn:aws:rds:{region}:{ACCOUNT}:cluster-auto-backup:{backup_id}",
            "DBClusterIdentifier": name,
            "DBClusterArn": cluster.db_cluster_arn,
            "DbClusterResourceId": cluster.db_cluster_resource_id,
            "RestoreWindow": window and {"EarliestTime": window[0], "LatestTime": window[1]},
            "MasterUsername": cluster.master_username,
            "Region": region,
            "Status": status,
            "ClusterCreateTime": cluster.cluster_create_time,
            "StorageEncrypted": cluster.storage_encrypted,
            "KmsKeyId": cluster.kms_key_id,
            "BackupRetentionPeriod": cluster.backup_retention_period,
            "Port": cluster.port,
            "TagList": cluster.tags,
        }
