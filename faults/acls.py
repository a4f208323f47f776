"""What the faults share that make subnets go dark: the ACL each has, one that denies all, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.fault import Conflict, NothingToBreak, Target
from blackstart.guards import REQUIRED_TAGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

HEALS = ("ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl")
CALLS = ("ec2:CreateNetworkAcl", *HEALS)
_ENTRY_TAG = "blackstart:entry"


def vpc(staging: Staging, name: str) -> Target:
    """Return the VPC with this name. Raises NothingToBreak unless there is exactly one."""
    vpcs = staging.aws("ec2").describe_vpcs(Filters=[_filter("tag:Name", name)])["Vpcs"]
    if len(vpcs) != 1:
        raise NothingToBreak(f"{len(vpcs)} VPCs are called {name!r}, one was expected")
    return Target(kind="VPC", id=vpcs[0]["VpcId"], tags=_tags(vpcs[0]))


def subnets(
    staging: Staging, vpc_id: str, tiers: Collection[str], az: str | None = None
) -> tuple[Target, ...]:
    """Return the subnets of these tiers (tag `Tier`) in a VPC, of one zone or, without any, of all."""
    return tuple(
        Target(kind="subnet", id=one["SubnetId"], arn=one.get("SubnetArn", ""), tags=_tags(one))
        for one in _subnets(staging, vpc_id, tiers, az)
    )


def share(
    staging: Staging, the_vpc: Target, tiers: Collection[str], az: str | None = None
) -> dict[str, dict[str, list[str]]]:
    """Return which zones of the VPC are taken, of all where it has such subnets, for the plan."""
    taken, of = (_zones(_subnets(staging, the_vpc.id, tiers, zone)) for zone in (az, None))
    return {f"zones of {the_vpc.tags['Name']}": {"taken": taken, "of": of}}


def of_subnets(staging: Staging, ids: Collection[str]) -> dict[str, str]:
    """Return the ACL that each of these subnets has now."""
    return {subnet: found["acl"] for subnet, found in _associations(staging, ids).items()}


def deny(staging: Staging, vpc_id: str, before: Mapping[str, str], entry: OpenEntry) -> None:
    """Make an ACL without rules, which denies everything, and move each subnet of `before` to it."""
    ec2 = staging.aws("ec2")
    tags = _as_tags({_ENTRY_TAG: entry.id, **REQUIRED_TAGS, **_way_back(before)})
    acl = ec2.create_network_acl(
        VpcId=vpc_id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}]
    )["NetworkAcl"]["NetworkAclId"]
    entry.created(acl)
    now = _associations(staging, before)
    for subnet in before:
        entry.created(now[subnet]["id"])
    moved = [
        ec2.replace_network_acl_association(AssociationId=now[subnet]["id"], NetworkAclId=acl)
        for subnet in before
    ]
    for one in moved:  # it has another id by now: healing must not need a disk that it can write to
        entry.created(one["NewAssociationId"])


def give_back(staging: Staging, before: Mapping[str, str], entry: OpenEntry) -> None:
    """Give each subnet its own ACL back, read back, then remove ours.

    Raises Conflict when a subnet has another one by now.
    """
    ours = _made_for(staging, entry.id)
    _restore(staging, before, ours, entry)
    now = of_subnets(staging, before)
    if now != before:
        raise Conflict(f"read back: {now}, should be {before}")
    for acl in ours:
        entry.created(acl)
        staging.aws("ec2").delete_network_acl(NetworkAclId=acl)


def _restore(staging: Staging, before: Mapping[str, str], ours: list[str], entry: OpenEntry) -> None:
    ec2 = staging.aws("ec2")
    for subnet, association in _associations(staging, before).items():
        if association["acl"] == before[subnet]:
            continue
        if association["acl"] not in ours:
            raise Conflict(f"{subnet} has ACL {association['acl']}: neither the first one nor ours")
        entry.created(association["id"])
        ec2.replace_network_acl_association(AssociationId=association["id"], NetworkAclId=before[subnet])


def _subnets(staging: Staging, vpc_id: str, tiers: Collection[str], az: str | None) -> list[dict[str, Any]]:
    wanted = [_filter("vpc-id", vpc_id), _filter("tag:Tier", *tiers)]
    if az is not None:  # a zone without a name is none
        wanted.append(_filter("availability-zone", az))
    found: list[dict[str, Any]] = staging.aws("ec2").describe_subnets(Filters=wanted)["Subnets"]
    return found


def _zones(subnets: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({subnet["AvailabilityZone"] for subnet in subnets})


def _associations(staging: Staging, ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Return `{subnet: {"id": association, "acl": ACL}}`."""
    acls = staging.aws("ec2").describe_network_acls(Filters=[_filter("association.subnet-id", *sorted(ids))])[
        "NetworkAcls"
    ]
    return {
        association["SubnetId"]: {
            "id": association["NetworkAclAssociationId"],
            "acl": association["NetworkAclId"],
        }
        for acl in acls
        for association in acl["Associations"]
        if association["SubnetId"] in ids
    }


def _made_for(staging: Staging, entry_id: str) -> list[str]:
    """Return the ACLs that this entry's fault made, also when it died before it could write them down."""
    acls = staging.aws("ec2").describe_network_acls(Filters=[_filter(f"tag:{_ENTRY_TAG}", entry_id)])
    return [acl["NetworkAclId"] for acl in acls["NetworkAcls"]]


def _tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _way_back(before: Mapping[str, str]) -> dict[str, str]:
    """The way back, on the resource itself: healing survives the loss of every file of ours."""
    return {f"blackstart:was:{subnet}": acl for subnet, acl in before.items()}


def _as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}
