"""RDS calls that make a new cluster: from a snapshot, or from the write-ahead log as of an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.backups import PointInTime
from staging.local.control_plane.kms import require_enabled
from staging.local.control_plane.protocol import AwsError
from staging.local.control_plane.rds.events import aware
from staging.local.control_plane.rds.records import new_cluster
from staging.local.control_plane.steps import share_done

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.backups import Progress, Snapshot
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.rds.automated import AutomatedBackups
    from staging.local.control_plane.rds.databases import Databases
    from staging.local.control_plane.rds.snapshots import Snapshots


class Restores:
    """A restored cluster has no instances, as on AWS; one that failed stays as `incompatible-restore`."""

    def __init__(self, databases: Databases, snapshots: Snapshots, automated: AutomatedBackups) -> None:
        self._databases = databases
        self._snapshots = snapshots
        self._automated = automated

    def register(self, front: Front) -> None:
        """Answer for restores."""
        front.regional("rds", "RestoreDBClusterFromSnapshot")(self._from_snapshot)
        front.regional("rds", "RestoreDBClusterToPointInTime")(self._to_point_in_time)

    def _from_snapshot(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        record = self._snapshots.find(region, params["SnapshotIdentifier"])
        if record.status != "available":
            message = f"The snapshot {params['SnapshotIdentifier']} is {record.status}."
            raise AwsError("InvalidDBClusterSnapshotStateFault", message)
        if params["Engine"] != record.engine:
            message = f"The snapshot is of {record.engine}, not of {params['Engine']}."
            raise AwsError("InvalidParameterCombination", message)
        if record.encrypted:
            require_enabled(record.kms_key_id)
        cluster = self.prepare(region, record.cluster, params)
        self._databases.begin(self.carry_out(cluster, record.taken, _percent_of(cluster)))
        self._databases.reflect()
        return {"DBCluster": cluster}

    def _to_point_in_time(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        origin = self._origin(region, params)
        at = aware(params.get("RestoreToTime"))
        if (at is None) == (not params.get("UseLatestRestorableTime")):
            message = "Specify either RestoreToTime or UseLatestRestorableTime."
            raise AwsError("InvalidParameterCombination", message)
        name, archive = origin.db_cluster_identifier, origin.db_cluster_resource_id
        window = self._databases.fleet(region).restorable(archive)
        if window is None:
            raise AwsError("InvalidRestoreFault", f"There is no automated backup of DB cluster {name}.")
        if at is not None and not window[0] <= at <= window[1]:
            message = (
                f"The specified time {at:%Y-%m-%dT%H:%M:%S.%f}Z is not between the earliest and the latest "
                f"restorable time of DB cluster {name}, {window[0]:%H:%M:%S.%f} and {window[1]:%H:%M:%S.%f}."
            )
            raise AwsError("InvalidParameterValue", message)
        if origin.storage_encrypted:
            require_enabled(origin.kms_key_id)
        cluster = self.prepare(region, origin, params)
        source = PointInTime(cluster=archive, at=at)
        self._databases.begin(self.carry_out(cluster, source, _percent_of(cluster)))
        self._databases.reflect()
        return {"DBCluster": cluster}

    def _origin(self, region: str, params: Mapping[str, Any]) -> Any:
        name, resource_id = params.get("SourceDBClusterIdentifier"), params.get("SourceDbClusterResourceId")
        if bool(name) == bool(resource_id):
            message = "Specify either SourceDBClusterIdentifier or SourceDbClusterResourceId."
            raise AwsError("InvalidParameterCombination", message)
        if name:
            return self._databases.cluster(region, name)
        return self._automated.origin(region, str(resource_id))

    def prepare(self, region: str, origin: Any, params: Mapping[str, Any]) -> Any:
        """Make the record of the new cluster, `creating`."""
        name = params["DBClusterIdentifier"].lower()
        self._databases.require_free(region, name)
        return new_cluster(region, name, origin, params)

    async def carry_out(
        self, cluster: Any, source: Snapshot | PointInTime, on_progress: Callable[[Progress], None]
    ) -> None:
        """Bring the bytes; afterwards the cluster is `available`, or says that it never will be."""
        name = cluster.db_cluster_identifier
        try:
            async with self._databases.turn(cluster):
                await self._databases.fleet_of(cluster).restore(name, source, on_progress)
        except BaseException as error:
            cluster.doing = "incompatible-restore"
            self._announce(name, f"The restore of the DB cluster failed: {error}", "failure")
            raise
        cluster.percent_progress, cluster.doing = "100", ""
        self._announce(name, "DB cluster created", "creation")

    def forget(self, cluster: Any) -> None:
        """Remove the record of a cluster that could not be restored."""
        cluster.backend.clusters.pop(cluster.db_cluster_identifier, None)

    def _announce(self, name: str, message: str, category: str) -> None:
        self._databases.announce(name, "db-cluster", message, category)


def _percent_of(cluster: Any) -> Callable[[Progress], None]:
    def note(progress: Progress) -> None:
        cluster.percent_progress = str(int(100 * share_done(progress)))

    return note
