"""Moto's records of clusters and snapshots that we make ourselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.rds.models import DBClusterSnapshot

from staging.local.control_plane.moto_state import backend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A restored cluster takes these from its source, unless the caller says otherwise.
_INHERITED = (
    "engine", "engine_version", "database_name", "master_username", "port", "backup_retention_period",
    "storage_encrypted", "kms_key_id", "db_subnet_group_name", "preferred_backup_window",
)  # fmt: skip
_CHOSEN = {
    "DBSubnetGroupName": "db_subnet_group_name",
    "Port": "port",
    "KmsKeyId": "kms_key_id",
    "DeletionProtection": "deletion_protection",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
    "BackupRetentionPeriod": "backup_retention_period",
    "VpcSecurityGroupIds": "vpc_security_group_ids",
}


def new_cluster(region: str, name: str, origin: Any, params: Mapping[str, Any]) -> Any:
    """Make the record of a cluster that is about to be restored from another's data."""
    rds = backend("rds", region)
    inherited = {key: getattr(origin, key) for key in _INHERITED}
    chosen = {ours: params[theirs] for theirs, ours in _CHOSEN.items() if params.get(theirs) is not None}
    cluster = rds.create_db_cluster({
        **inherited, **chosen,
        "db_cluster_identifier": name,
        "master_user_password": origin._master_user_password,  # noqa: SLF001 - RDS keeps it too
        "availability_zones": [f"{region}a", f"{region}b"],
        "tags": list(params.get("Tags") or ()),
    })  # fmt: skip
    cluster.doing, cluster.percent_progress = "creating", "0"
    return cluster


def new_snapshot(
    region: str, cluster: Any, name: str, kind: str, tags: Sequence[Mapping[str, str]] | None
) -> Any:
    """Make the record of a snapshot that is about to be taken."""
    rds = backend("rds", region)
    record = DBClusterSnapshot(rds, cluster, name, kind, None if tags is None else list(tags))
    record.status, record.percent_progress = "creating", 0
    record.db_cluster_resource_id = cluster.db_cluster_resource_id
    record.availability_zones = cluster.availability_zones
    record.taken = None  # the bytes, once they are there
    rds.cluster_snapshots[name] = record
    return record


def let_sql_in(cluster: Any, *, lets: bool) -> None:
    """Switch the Data API of a cluster; Moto knows it of old serverless engines only."""
    cluster._enable_http_endpoint = lets  # noqa: SLF001 - its setter forgets what it is told


def replaced_name(records: Any, old: str, new: str) -> None:
    """File a record under its new name."""
    records[new] = records.pop(old)
