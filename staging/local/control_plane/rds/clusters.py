"""RDS calls on clusters: fail over, rename and delete them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from staging.local.aurora.state import AuroraError
from staging.local.control_plane.protocol import AwsError, unimplemented
from staging.local.control_plane.rds import records
from staging.local.control_plane.rds.events import described, select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.rds.automated import AutomatedBackups
    from staging.local.control_plane.rds.databases import Databases
    from staging.local.control_plane.rds.snapshots import Snapshots

_PLAIN = {  # what a ModifyDBCluster call may change in the record, and nothing has to follow
    "BackupRetentionPeriod": "backup_retention_period",
    "DeletionProtection": "deletion_protection",
    "CopyTagsToSnapshot": "copy_tags_to_snapshot",
}
_RENAME = {"DBClusterIdentifier", "NewDBClusterIdentifier", "ApplyImmediately"}


class ClusterCalls:
    """Answers at once with the new status; what it means to the servers follows in the event loop."""

    def __init__(self, databases: Databases, snapshots: Snapshots, automated: AutomatedBackups) -> None:
        self._databases = databases
        self._snapshots = snapshots
        self._automated = automated

    def register(self, front: Front) -> None:
        """Answer for clusters."""
        front.regional("rds", "FailoverDBCluster")(self._failover)
        front.regional("rds", "ModifyDBCluster")(self._modify)
        front.regional("rds", "DeleteDBCluster")(self._delete)
        front.regional("rds", "EnableHttpEndpoint")(partial(self._let_sql_in, lets=True))
        front.regional("rds", "DisableHttpEndpoint")(partial(self._let_sql_in, lets=False))
        front.operation("rds", "DescribeEvents")(self._describe_events)

    def _failover(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        record = self._databases.cluster(region, params["DBClusterIdentifier"])
        name, target = record.db_cluster_identifier, params.get("TargetDBInstanceIdentifier")
        if target is not None and target not in _names(self._databases.members(record)):
            message = f"DBInstance {target} not found in DBCluster {name}."
            raise AwsError("DBInstanceNotFound", message, 404)
        try:
            cluster = self._databases.fleet(region).cluster(name)
        except AuroraError as error:
            raise AwsError("InvalidDBClusterStateFault", f"{error}.") from error
        self._databases.begin_and_see(
            cluster.failover(target), lambda: cluster.describe().status == "failing-over"
        )
        self._databases.reflect()
        return {"DBCluster": record}

    # Names.

    def _modify(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        cluster = self._databases.cluster(region, params["DBClusterIdentifier"])
        asked = {key: value for key, value in params.items() if value is not None}
        unknown = asked.keys() - _RENAME - _PLAIN.keys()
        new = str(asked.get("NewDBClusterIdentifier", "")).lower()
        if unknown or (new and not asked.get("ApplyImmediately")):
            what = ", ".join(sorted(unknown)) or "NewDBClusterIdentifier without ApplyImmediately"
            raise unimplemented("rds", f"ModifyDBCluster with {what}")
        if new:
            self._require_idle(cluster)
            self._databases.require_free(region, new)
        for theirs, ours in _PLAIN.items():
            if theirs in asked:
                setattr(cluster, ours, asked[theirs])
        if new:
            cluster.doing = "renaming"
            self._databases.begin(self._rename(cluster, new))
        self._databases.reflect()
        return {"DBCluster": cluster}

    async def _rename(self, cluster: Any, new: str) -> None:
        old = cluster.db_cluster_identifier
        try:
            async with self._databases.turn(cluster):
                await self._databases.fleet_of(cluster).rename(old, new)
                members = self._databases.members(cluster)
                cluster.db_cluster_identifier = new
                for member in members:
                    member.db_cluster_identifier = new
                records.replaced_name(cluster.backend.clusters, old, new)
        finally:
            cluster.doing = ""

    def _let_sql_in(self, region: str, params: Mapping[str, Any], *, lets: bool) -> dict[str, Any]:
        cluster = self._databases.cluster(region, params["ResourceArn"])
        records.let_sql_in(cluster, lets=lets)
        return {"ResourceArn": cluster.db_cluster_arn, "HttpEndpointEnabled": lets}

    # The end.

    def _delete(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        cluster = self._databases.cluster(region, params["DBClusterIdentifier"])
        final, skip = params.get("FinalDBSnapshotIdentifier"), bool(params.get("SkipFinalSnapshot"))
        self._require_deletable(cluster, final, skip=skip)
        broken = getattr(cluster, "doing", "") == "incompatible-restore"
        snapshot = self._snapshots.prepare(region, cluster, final) if final else None
        cluster.doing = "deleting"
        keep = params.get("DeleteAutomatedBackups") is False
        self._databases.begin(self._end(cluster, snapshot, keep=keep, broken=broken))
        self._databases.reflect()
        return {"DBCluster": cluster}

    def _require_deletable(self, cluster: Any, final: str | None, *, skip: bool) -> None:
        if bool(final) == skip:
            message = (
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
                if not final
                else "FinalDBSnapshotIdentifier cannot be specified together with SkipFinalSnapshot."
            )
            raise AwsError("InvalidParameterCombination", message)
        if cluster.deletion_protection:
            message = "Cannot delete protected Cluster, please disable deletion protection and try again."
            raise AwsError("InvalidParameterCombination", message)
        if any(getattr(member, "doing", "") != "deleting" for member in self._databases.members(cluster)):
            message = "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
            raise AwsError("InvalidDBClusterStateFault", message)
        if getattr(cluster, "doing", "") != "incompatible-restore":
            self._require_idle(cluster)

    async def _end(self, cluster: Any, snapshot: Any, *, keep: bool, broken: bool) -> None:
        name = cluster.db_cluster_identifier
        try:
            async with self._databases.turn(cluster):
                if snapshot is not None:
                    await self._snapshots.take(snapshot, name)
                if not broken:
                    await self._databases.fleet_of(cluster).delete(name, keep_archive=keep)
                if keep:
                    self._automated.retain(cluster)
                cluster.backend.clusters.pop(name, None)
        except BaseException:
            cluster.doing = ""
            self._announce(name, "The DB cluster could not be deleted.", "failure")
            raise
        self._announce(name, "DB cluster deleted", "deletion")

    def _require_idle(self, cluster: Any) -> None:
        if getattr(cluster, "doing", "") not in ("", "backing-up"):
            message = f"DB cluster {cluster.db_cluster_identifier} is currently {cluster.doing}."
            raise AwsError("InvalidDBClusterStateFault", message)

    def _announce(self, name: str, message: str, category: str) -> None:
        self._databases.announce(name, "db-cluster", message, category)

    def _describe_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        events = list(self._databases.events)
        return {"Events": [described(event) for event in select(events, params, datetime.now(UTC))]}


def _names(members: list[Any]) -> set[str]:
    return {member.db_instance_identifier for member in members}
