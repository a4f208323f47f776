"""The way back for faults that destroy an Aurora cluster or its data: a snapshot of our own, and what it was.

The snapshot is named after the ledger entry, so that any later process finds it. A cluster that is there and
serves, whoever restored it, is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from blackstart import guards
from blackstart.fault import Conflict, NothingToBreak, Plan
from blackstart.waiting import wait_until
from faults import aurora

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

CALLS = (
    "rds:ModifyDBCluster",
    "rds:CreateDBClusterSnapshot",
    "rds:DeleteDBInstance",
    "rds:DeleteDBCluster",
    "rds:RestoreDBClusterFromSnapshot",
    "rds:EnableHttpEndpoint",
    "rds:CreateDBInstance",
    "rds:DeleteDBClusterSnapshot",
)
# As they are described, and as whoever makes them once more must say, for AWS would choose anew.
_OF_A_CLUSTER = {
    "DBSubnetGroup": "DBSubnetGroupName",
    "Port": "Port",
    "DBClusterParameterGroup": "DBClusterParameterGroupName",
    "IAMDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "EnabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
    "CopyTagsToSnapshot": "CopyTagsToSnapshot",
    "ServerlessV2ScalingConfiguration": "ServerlessV2ScalingConfiguration",
}
_OF_AN_INSTANCE = {
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "PubliclyAccessible": "PubliclyAccessible",
    "PreferredMaintenanceWindow": "PreferredMaintenanceWindow",
    "MonitoringInterval": "MonitoringInterval",
    "MonitoringRoleArn": "MonitoringRoleArn",
    "PerformanceInsightsEnabled": "EnablePerformanceInsights",
}
_WITHIN_S = 1800.0


def plan(staging: Staging, name: str, broken: dict[str, Any], *more_calls: str) -> Plan:
    """Plan to lose a cluster, or what it holds: everything that it takes to make it once more."""
    cluster = find(staging, name)
    if cluster is None or not cluster["DBClusterMembers"]:
        raise NothingToBreak(f"no Aurora cluster with instances is called {name!r}")
    targets = aurora.targets(staging, cluster)
    return Plan(
        targets=targets,
        before={
            "cluster": _settings(cluster),
            "instances": [_instance(staging, member) for member in cluster["DBClusterMembers"]],
            "subnet group": cluster.get("DBSubnetGroup"),  # by itself, for it is what a restore names
            "deletion protection": bool(cluster.get("DeletionProtection")),
            "data API": bool(cluster.get("HttpEndpointEnabled")),  # which no restore takes over
            "tags": targets[0].tags,
        },
        broken=broken,
        destroys=True,
        calls=(*CALLS, *more_calls),
    )


def snapshot_name(entry: OpenEntry) -> str:
    """Return the name of this entry's safety snapshot."""
    return f"blackstart-{entry.id}"


def take(staging: Staging, cluster: str, entry: OpenEntry) -> None:
    """Take the safety snapshot, and wait until it is good."""
    name = snapshot_name(entry)
    entry.created(name)
    staging.aws("rds").create_db_cluster_snapshot(
        DBClusterIdentifier=cluster,
        DBClusterSnapshotIdentifier=name,
        Tags=_as_tags({"blackstart:entry": entry.id, **guards.REQUIRED_TAGS}),
    )
    _wait(lambda: _snapshot_status(staging, name) == "available", f"the safety snapshot {name} is available")


def destroy(staging: Staging, name: str, *, final_snapshot: str | None, region: str = "") -> None:
    """Delete the cluster with all its instances, the writer last; the final snapshot keeps what it held."""
    rds = staging.aws("rds", region)
    cluster = find(staging, name, region)
    if cluster is None:
        return
    if cluster.get("DeletionProtection"):
        rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    for member in sorted(cluster["DBClusterMembers"], key=lambda member: member["IsClusterWriter"]):
        _unless(
            "InvalidDBInstanceState",
            rds.delete_db_instance,
            DBInstanceIdentifier=member["DBInstanceIdentifier"],
        )
    last: dict[str, Any] = {"SkipFinalSnapshot": True}
    if final_snapshot is not None:
        last = {"SkipFinalSnapshot": False, "FinalDBSnapshotIdentifier": final_snapshot}
    # some time passes before its instances count as gone
    _wait(
        lambda: _unless(
            "InvalidDBClusterStateFault", rds.delete_db_cluster, DBClusterIdentifier=name, **last
        ),
        f"{name} accepts its deletion",
    )


def bring_back(staging: Staging, plan: Plan, entry: OpenEntry, name: str) -> None:
    """See to it that the cluster is there with all its instances, from the safety snapshot if it is gone.

    It goes on where an earlier process ended. Raises Conflict when there is nothing to restore from.
    """
    entry.created(snapshot_name(entry))
    _wait(lambda: _status(staging, name) != "deleting", f"{name} is gone, if it is being deleted")
    if find(staging, name) is None:
        _restore(staging, plan, entry, name)
    _wait(lambda: _status(staging, name) == "available", f"{name} is available")
    _let_sql_in(staging, plan, name)
    _complete(staging, plan, name)
    if plan.before["deletion protection"]:
        staging.aws("rds").modify_db_cluster(
            DBClusterIdentifier=name, DeletionProtection=True, ApplyImmediately=True
        )


def replace(staging: Staging, plan: Plan, entry: OpenEntry, name: str) -> None:
    """Put the safety snapshot in the place of what the cluster holds now."""
    if _snapshot_status(staging, snapshot_name(entry)) != "available":
        raise Conflict(f"{name} must be replaced, and there is no safety snapshot {snapshot_name(entry)}")
    destroy(staging, name, final_snapshot=None)
    bring_back(staging, plan, entry, name)


def drop(staging: Staging, entry: OpenEntry) -> None:
    """Delete the safety snapshot; nothing must be left that costs money."""
    name = snapshot_name(entry)
    entry.created(name)
    if _snapshot_status(staging, name) is None:
        return
    _wait(lambda: _snapshot_status(staging, name) != "creating", f"{name} is no longer being made")
    staging.aws("rds").delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=name)


def find(staging: Staging, name: str, region: str = "") -> dict[str, Any] | None:
    """Return the cluster as the RDS API describes it, None when there is none of this name."""
    try:
        return aurora.describe(staging, name, region)
    except NothingToBreak:
        return None


def _restore(staging: Staging, plan: Plan, entry: OpenEntry, name: str) -> None:
    snapshot = snapshot_name(entry)
    status = _snapshot_status(staging, snapshot)
    if status is None:
        raise Conflict(f"{name} is gone, and so is the safety snapshot {snapshot}")
    _wait(lambda: _snapshot_status(staging, snapshot) == "available", f"{snapshot} is available")
    staging.aws("rds").restore_db_cluster_from_snapshot(
        DBClusterIdentifier=name, SnapshotIdentifier=snapshot, Tags=_as_tags(plan.before["tags"]),
        **plan.before["cluster"],
    )  # fmt: skip


def _complete(staging: Staging, plan: Plan, name: str) -> None:
    """Create the instances that are missing, under their names of before, and wait until all serve."""
    wanted = {instance["DBInstanceIdentifier"]: instance for instance in plan.before["instances"]}
    _wait(
        lambda: all(_instance_status(staging, one) != "deleting" for one in wanted),
        f"no instance of {name} is being deleted",
    )
    members = _members(staging, name)
    free = [instance for one, instance in wanted.items() if one not in members]
    for instance in free[: max(0, len(wanted) - len(members))]:
        staging.aws("rds").create_db_instance(**instance, DBClusterIdentifier=name)
    _wait(
        lambda: all(_instance_status(staging, one) == "available" for one in _members(staging, name)),
        f"every instance of {name} is available",
    )


def _let_sql_in(staging: Staging, plan: Plan, name: str) -> None:
    cluster = find(staging, name)
    if cluster is not None and plan.before["data API"] and not cluster.get("HttpEndpointEnabled"):
        staging.aws("rds").enable_http_endpoint(ResourceArn=cluster["DBClusterArn"])


def _members(staging: Staging, name: str) -> list[str]:
    cluster = find(staging, name)
    return [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]] if cluster else []


def _settings(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return what a restore must be told, because the snapshot does not hold it or AWS would choose anew."""
    groups = [group["VpcSecurityGroupId"] for group in cluster.get("VpcSecurityGroups", [])]
    return {
        "Engine": cluster["Engine"], "EngineVersion": cluster["EngineVersion"],
        **_given(cluster, _OF_A_CLUSTER), **({"VpcSecurityGroupIds": groups} if groups else {}),
    }  # fmt: skip


def _instance(staging: Staging, member: dict[str, Any]) -> dict[str, Any]:
    name = member["DBInstanceIdentifier"]
    found = staging.aws("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
    groups = [group["DBParameterGroupName"] for group in found.get("DBParameterGroups", [])]
    return {
        "DBInstanceIdentifier": name, "DBInstanceClass": found["DBInstanceClass"], "Engine": found["Engine"],
        "AvailabilityZone": found["AvailabilityZone"], "PromotionTier": member.get("PromotionTier", 1),
        "Tags": found.get("TagList", []), **_given(found, _OF_AN_INSTANCE),
        **({"DBParameterGroupName": groups[0]} if groups else {}),
    }  # fmt: skip


def _given(described: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what is described as what a call takes; of what is not said AWS's own choice is as good."""
    return {
        asked: described[told] for told, asked in names.items() if described.get(told) not in (None, [], "")
    }


def _status(staging: Staging, name: str) -> str | None:
    cluster = find(staging, name)
    return str(cluster["Status"]) if cluster else None


def _instance_status(staging: Staging, name: str) -> str | None:
    try:
        found = staging.aws("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBInstanceNotFound":
            raise
        return None
    return str(found[0]["DBInstanceStatus"])


def _snapshot_status(staging: Staging, name: str) -> str | None:
    try:
        found = staging.aws("rds").describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBClusterSnapshotNotFoundFault":
            raise
        return None
    return str(found["DBClusterSnapshots"][0]["Status"])


def _unless(code: str, call: Callable[..., Any], **arguments: Any) -> bool:
    """Make the call; tell whether it was accepted, or refused with this error code."""
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return False
    return True


def _as_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _wait(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, within_s=_WITHIN_S, what=what, every_s=0.2)
