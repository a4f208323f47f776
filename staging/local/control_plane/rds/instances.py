"""RDS calls on instances: create, delete, rename and reboot the members of a cluster."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from staging.local.aurora.state import AuroraError
from staging.local.control_plane.platform import DR_REGION, REGION
from staging.local.control_plane.protocol import AwsError, unimplemented
from staging.local.control_plane.rds.records import replaced_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.fleet import Cluster, Fleet
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.rds.databases import Databases

_SUBNETS = {REGION: "data", DR_REGION: "west-data"}
_RENAME = {"DBInstanceIdentifier", "NewDBInstanceIdentifier", "ApplyImmediately"}


class InstanceCalls:
    """Answers at once with the new status; what it means to the servers follows in the event loop."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    def register(self, front: Front) -> None:
        """Answer for instances."""
        front.regional("rds", "CreateDBInstance")(self._create)
        front.regional("rds", "DeleteDBInstance")(self._delete)
        front.regional("rds", "ModifyDBInstance")(self._modify)
        front.regional("rds", "RebootDBInstance")(self._reboot)

    def _create(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["DBInstanceIdentifier"].lower()
        if not params.get("DBClusterIdentifier"):
            raise unimplemented("rds", "CreateDBInstance outside of a cluster")
        cluster = self._databases.cluster(region, params["DBClusterIdentifier"])
        self._databases.require_free_instance(region, name)
        if getattr(cluster, "doing", "") in ("deleting", "incompatible-restore"):
            message = f"DB cluster {cluster.db_cluster_identifier} is {cluster.doing}."
            raise AwsError("InvalidDBClusterStateFault", message)
        zone = params.get("AvailabilityZone") or self._emptiest_zone(cluster)
        instance = cluster.backend.create_db_instance({
            "db_instance_identifier": name, "db_cluster_identifier": cluster.db_cluster_identifier,
            "engine": params["Engine"], "db_instance_class": params["DBInstanceClass"],
            "availability_zone": zone, "promotion_tier": params.get("PromotionTier", 1),
            "db_subnet_group_name": cluster.db_subnet_group_name, "tags": list(params.get("Tags") or ()),
        })  # fmt: skip
        instance.doing = "creating"
        self._databases.begin(self._start(cluster, instance))
        self._databases.reflect()
        return {"DBInstance": instance}

    def _emptiest_zone(self, cluster: Any) -> str:
        used = Counter(member.availability_zone for member in self._databases.members(cluster))
        zones: list[str] = cluster.availability_zones
        return min(zones, key=lambda zone: used[zone])

    async def _start(self, cluster: Any, instance: Any) -> None:
        name = instance.db_instance_identifier
        subnet = f"{_SUBNETS[cluster.region]}-{instance.availability_zone[-1]}"
        try:
            async with self._databases.turn(cluster):
                await self._databases.fleet_of(cluster).add_member(
                    cluster.db_cluster_identifier, name, subnet
                )
        except BaseException:
            instance.doing = "failed"
            self._announce(name, "The DB instance failed to start.", "failure")
            raise
        instance.doing = ""

    def _delete(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        instance = self._databases.instance(region, params["DBInstanceIdentifier"])
        if params.get("FinalDBSnapshotIdentifier"):
            message = "FinalDBSnapshotIdentifier can not be specified when deleting a cluster instance"
            raise AwsError("InvalidParameterCombination", message)
        if getattr(instance, "doing", "") not in ("", "failed"):
            message = f"Instance {instance.db_instance_identifier} is currently {instance.doing}."
            raise AwsError("InvalidDBInstanceState", message)
        if instance.deletion_protection:
            message = "Cannot delete protected DB Instance, please disable deletion protection and try again."
            raise AwsError("InvalidParameterCombination", message)
        failed = instance.doing = getattr(instance, "doing", "")
        instance.doing = "deleting"
        self._databases.begin(self._end(instance, started=not failed))
        self._databases.reflect()
        return {"DBInstance": instance}

    async def _end(self, instance: Any, *, started: bool) -> None:
        name, cluster = instance.db_instance_identifier, instance.cluster
        try:
            async with self._databases.turn(cluster):
                if started:
                    await self._databases.fleet_of(cluster).remove_member(cluster.db_cluster_identifier, name)
                cluster.backend.databases.pop(name, None)
        except BaseException:
            instance.doing = ""
            self._announce(name, "The DB instance could not be deleted.", "failure")
            raise

    def _modify(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        instance = self._databases.instance(region, params["DBInstanceIdentifier"])
        new = str(params.get("NewDBInstanceIdentifier") or "").lower()
        beyond = {key for key, value in params.items() if value is not None} - _RENAME
        if not new or beyond or not params.get("ApplyImmediately"):
            raise unimplemented("rds", "ModifyDBInstance but for a new name, applied immediately")
        self._databases.require_free_instance(region, new)
        if getattr(instance, "doing", ""):
            message = f"Instance {instance.db_instance_identifier} is currently {instance.doing}."
            raise AwsError("InvalidDBInstanceState", message)
        instance.doing = "renaming"
        self._databases.begin(self._rename(instance, new))
        self._databases.reflect()
        return {"DBInstance": instance}

    async def _rename(self, instance: Any, new: str) -> None:
        old, cluster = instance.db_instance_identifier, instance.cluster
        try:
            async with self._databases.turn(cluster):
                await self._databases.fleet_of(cluster).rename_member(old, new)
                instance.db_instance_identifier = new
                replaced_name(cluster.backend.databases, old, new)
        finally:
            instance.doing = ""
        self._announce(new, f"Renamed instance from {old} to {new}", "notification")

    def _reboot(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        instance = self._databases.instance(region, params["DBInstanceIdentifier"])
        if params.get("ForceFailover"):
            message = "ForceFailover cannot be specified for an instance of an Aurora cluster."
            raise AwsError("InvalidParameterCombination", message)
        name, fleet = instance.db_instance_identifier, self._databases.fleet(region)
        cluster = instance.db_cluster_identifier

        def status() -> str:
            return next(member.status for member in fleet.describe()[cluster].members if member.id == name)

        self._databases.begin_and_see(_of(fleet, cluster).reboot(name), lambda: status() != "available")
        self._databases.reflect()
        return {"DBInstance": instance}

    def _announce(self, name: str, message: str, category: str) -> None:
        self._databases.announce(name, "db-instance", message, category)


def _of(fleet: Fleet, cluster: str) -> Cluster:
    try:
        return fleet.cluster(cluster)
    except AuroraError as error:
        raise AwsError("InvalidDBClusterStateFault", f"{error}.") from error
