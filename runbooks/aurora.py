"""What the runbooks ask of RDS: look at clusters and instances, rename them, delete them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.fault import Target
from blackstart.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blackstart.staging import Staging

_LOOK_EVERY_S = 0.3
# What one may neither rename nor delete yet: it becomes something else by itself.
_UNSETTLED = {
    "backing-up", "creating", "failing-over", "modifying", "rebooting", "renaming", "starting",
}  # fmt: skip


def cluster(staging: Staging, region: str, name: str) -> dict[str, Any] | None:
    """Return the cluster of this name as RDS describes it, None when there is none."""
    rds = staging.aws("rds", region)
    try:
        found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return dict(found[0]) if found else None


def by_resource(staging: Staging, region: str, resource: str) -> dict[str, Any] | None:
    """Return the cluster with this resource id, which it keeps when it is renamed."""
    pages = staging.aws("rds", region).get_paginator("describe_db_clusters").paginate()
    found = (c for page in pages for c in page["DBClusters"] if c["DbClusterResourceId"] == resource)
    return next((dict(c) for c in found), None)


def instance(staging: Staging, region: str, name: str) -> dict[str, Any] | None:
    """Return the instance of this name as RDS describes it, None when there is none."""
    rds = staging.aws("rds", region)
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return dict(found[0]) if found else None


def members(found: dict[str, Any]) -> list[str]:
    """Return the names of a cluster's instances, the writer first."""
    ordered = sorted(found["DBClusterMembers"], key=lambda member: not member["IsClusterWriter"])
    return [member["DBInstanceIdentifier"] for member in ordered]


def serves(staging: Staging, region: str, found: dict[str, Any] | None, names: Iterable[str]) -> bool:
    """Tell whether a cluster is available with exactly these instances, all available, one the writer."""
    if found is None or found["Status"] != "available" or set(members(found)) != set(names):
        return False
    if not any(member["IsClusterWriter"] for member in found["DBClusterMembers"]):
        return False
    looked = [instance(staging, region, name) for name in names]
    return all(one is not None and one["DBInstanceStatus"] == "available" for one in looked)


def targets(staging: Staging, region: str, name: str) -> tuple[Target, ...]:
    """Return the cluster of this name and its instances with their tags; nothing when there is none."""
    found = cluster(staging, region, name)
    if found is None:
        return ()
    looked = [(one, instance(staging, region, one)) for one in members(found)]
    return (
        Target(kind="Aurora cluster", id=name, arn=found["DBClusterArn"], tags=_tags(found)),
        *(
            Target(kind="Aurora instance", id=one, arn=seen["DBInstanceArn"], tags=_tags(seen))
            for one, seen in looked
            if seen is not None
        ),
    )


def subnet_group(staging: Staging, region: str, name: str) -> Target:
    """Return the subnet group that a restored cluster is put into, with its tags."""
    rds = staging.aws("rds", region)
    arn = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]["DBSubnetGroupArn"]
    tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"]
    return Target(kind="DB subnet group", id=name, arn=arn, tags=_tags({"TagList": tags}))


def zones(staging: Staging, region: str, group: str) -> list[str]:
    """Return the availability zones that a subnet group reaches."""
    groups = staging.aws("rds", region).describe_db_subnet_groups(DBSubnetGroupName=group)["DBSubnetGroups"]
    return sorted({subnet["SubnetAvailabilityZone"]["Name"] for subnet in groups[0]["Subnets"]})


def rename_cluster(staging: Staging, region: str, name: str, new: str, within_s: float) -> None:
    """Rename a cluster and wait until it has its new name; nothing when it has it already."""
    if cluster(staging, region, name) is not None:
        _until_settled(staging, region, name, within_s)
        staging.aws("rds", region).modify_db_cluster(
            DBClusterIdentifier=name, NewDBClusterIdentifier=new, ApplyImmediately=True
        )
    wait_until(
        lambda: _settled(cluster(staging, region, new)) and cluster(staging, region, name) is None,
        within_s=within_s, what=f"cluster {name} is called {new}", every_s=_LOOK_EVERY_S,
    )  # fmt: skip


def rename_instances(staging: Staging, region: str, names: dict[str, str], within_s: float) -> None:
    """Rename instances, each of which restarts; those that have their new name are left alone."""
    rds = staging.aws("rds", region)
    for name, new in names.items():
        if name != new and instance(staging, region, name) is not None:
            wait_until(
                lambda name=name: _is_available(instance(staging, region, name)),  # type: ignore[misc]
                within_s=within_s, what=f"instance {name} is available", every_s=_LOOK_EVERY_S,
            )  # fmt: skip
            rds.modify_db_instance(
                DBInstanceIdentifier=name, NewDBInstanceIdentifier=new, ApplyImmediately=True
            )
    for new in names.values():
        wait_until(
            lambda new=new: _is_available(instance(staging, region, new)),  # type: ignore[misc]
            within_s=within_s, what=f"an instance is called {new}", every_s=_LOOK_EVERY_S,
        )  # fmt: skip


def delete(staging: Staging, region: str, name: str, within_s: float) -> bool:
    """Delete a cluster with its instances and no final snapshot; tell whether there was one."""
    if cluster(staging, region, name) is None:
        return False
    found = _until_settled(staging, region, name, within_s)
    rds = staging.aws("rds", region)
    if found.get("DeletionProtection"):
        rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
    for one in members(found):
        seen = instance(staging, region, one)
        if seen is not None and seen["DBInstanceStatus"] != "deleting":
            rds.delete_db_instance(DBInstanceIdentifier=one, SkipFinalSnapshot=True)
    wait_until(
        lambda: not members(cluster(staging, region, name) or {"DBClusterMembers": []}),
        within_s=within_s, what=f"cluster {name} has no instance left", every_s=_LOOK_EVERY_S,
    )  # fmt: skip
    left = cluster(staging, region, name)
    if left is not None and left["Status"] != "deleting":
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
    wait_until(
        lambda: cluster(staging, region, name) is None,
        within_s=within_s, what=f"cluster {name} is gone", every_s=_LOOK_EVERY_S,
    )  # fmt: skip
    return True


def _until_settled(staging: Staging, region: str, name: str, within_s: float) -> dict[str, Any]:
    def settled() -> dict[str, Any] | None:
        found = cluster(staging, region, name)
        looked = [instance(staging, region, one) for one in members(found)] if found else []
        quiet = all(one is None or one["DBInstanceStatus"] not in _UNSETTLED for one in looked)
        return found if found and quiet and _settled(found) else None

    return wait_until(settled, within_s=within_s, what=f"{name} is settled", every_s=_LOOK_EVERY_S)


def _settled(found: dict[str, Any] | None) -> bool:
    return found is not None and found["Status"] not in _UNSETTLED


def _is_available(found: dict[str, Any] | None) -> bool:
    return found is not None and found["DBInstanceStatus"] == "available"


def _tags(described: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described.get("TagList", [])}
