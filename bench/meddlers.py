"""Somebody else changes the target of a fault before it is healed, and takes it back later; by drill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from blackstart.waiting import wait_until

if TYPE_CHECKING:
    from blackstart.ledger import Entry
    from staging.local.client import LocalStaging

_SWITCHED_WITHIN_S = 120.0
Undo = Callable[[], None]


def move_a_subnet(staging: LocalStaging, entry: Entry) -> Undo:
    """Give one of the dark subnets a third network ACL; return how to give it its own."""
    ec2 = staging.aws("ec2")
    subnet, first = next(iter(sorted(entry.plan.before.items())))
    vpc = next(target.id for target in entry.plan.targets if target.kind == "VPC")
    theirs = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.replace_network_acl_association(AssociationId=_association(ec2, subnet), NetworkAclId=theirs)

    def undo() -> None:
        ec2.replace_network_acl_association(AssociationId=_association(ec2, subnet), NetworkAclId=first)
        ec2.delete_network_acl(NetworkAclId=theirs)

    return undo


def promote_a_third(staging: LocalStaging, entry: Entry) -> Undo:
    """Add an instance to the cluster and promote it; return how to go back to what the fault had left."""
    rds = staging.aws("rds")
    cluster, third = entry.arguments["cluster"], f"{entry.arguments['cluster']}-theirs"
    rds.create_db_instance(
        DBInstanceIdentifier=third, DBClusterIdentifier=cluster, Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large", PromotionTier=15,
    )  # fmt: skip
    wait_until(lambda: _status(rds, third) == "available", within_s=_SWITCHED_WITHIN_S, what="it is there")
    _promote(rds, cluster, third)

    def undo() -> None:
        _promote(rds, cluster, entry.plan.broken["writer"])
        rds.delete_db_instance(DBInstanceIdentifier=third)
        wait_until(lambda: _status(rds, third) is None, within_s=_SWITCHED_WITHIN_S, what="it is gone")

    return undo


def want_more_spot(staging: LocalStaging, entry: Entry) -> Undo:
    """Change the service's strategy to one that is neither the first nor a fall-back."""
    ecs, before = staging.aws("ecs"), entry.plan.before["strategy"]
    theirs = [{**item, "weight": item.get("weight", 0) + 3} for item in before]
    service = {"cluster": entry.arguments["cluster"], "service": entry.arguments["service"]}
    ecs.update_service(**service, capacityProviderStrategy=theirs)
    return lambda: ecs.update_service(**service, capacityProviderStrategy=before)


MEDDLERS: dict[str, Callable[[LocalStaging, Entry], Undo]] = {
    "az-loss": move_a_subnet,
    "aurora-failover": promote_a_third,
    "spot-unavailable": want_more_spot,
}


def _association(ec2: Any, subnet: str) -> str:
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    acl = ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0]
    ids = [a["NetworkAclAssociationId"] for a in acl["Associations"] if a["SubnetId"] == subnet]
    return str(ids[0])


def _status(rds: Any, name: str) -> str | None:
    found = [one for one in rds.describe_db_instances()["DBInstances"] if one["DBInstanceIdentifier"] == name]
    return str(found[0]["DBInstanceStatus"]) if found else None


def _promote(rds: Any, cluster: str, wanted: str) -> None:
    rds.failover_db_cluster(DBClusterIdentifier=cluster, TargetDBInstanceIdentifier=wanted)

    def is_writer() -> bool:
        found = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]
        return found["Status"] == "available" and any(
            m["IsClusterWriter"] and m["DBInstanceIdentifier"] == wanted for m in found["DBClusterMembers"]
        )

    wait_until(is_writer, within_s=_SWITCHED_WITHIN_S, what=f"{wanted} is the writer")
