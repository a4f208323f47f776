"""What the faults share that make subnets go dark: the ACL each has, one that denies all, the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.fault import Conflict, NothingToBreak, Target

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

CALLS = ("ec2:CreateNetworkAcl", "ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl")
_ENTRY_TAG = "blackstart:entry"


def vpc(staging: Staging, name: str) -> Target:
    """Return the VPC with this name. Raises NothingToBreak unless there is exactly one."""
    vpcs = staging.aws("ec2").describe_vpcs(Filters=[_filter("tag:Name", name)])["Vpcs"]
    if len(vpcs) != 1:
        raise NothingToBreak(f"{len(vpcs)} VPCs are called {name!r}, one was expected")
    return Target(kind="VPC", id=vpcs[0]["VpcId"], tags=_tags(vpcs[0]))


def subnets(staging: Staging, vpc_id: str, tiers: Collection[str], az: str = "") -> tuple[Target, ...]:
    """Return the subnets of these tiers (tag `Tier`) in a VPC, of one zone or of all of them."""
    wanted = [_filter("vpc-id", vpc_id), _filter("tag:Tier", *tiers)]
    if az:
        wanted.append(_filter("availability-zone", az))
    found = staging.aws("ec2").describe_subnets(Filters=wanted)["Subnets"]
    return tuple(
        Target(kind="subnet", id=one["SubnetId"], arn=one.get("SubnetArn", ""), tags=_tags(one))
        for one in found
    )


def of_subnets(staging: Staging, ids: Collection[str]) -> dict[str, str]:
    """Return the ACL that each of these subnets has now."""
    return {subnet: found["acl"] for subnet, found in _associations(staging, ids).items()}


def deny(staging: Staging, vpc_id: str, before: Mapping[str, str], entry: OpenEntry) -> None:
    """Make an ACL without rules, which denies everything, and move each subnet of `before` to it."""
    ec2 = staging.aws("ec2")
    tags = [{"Key": _ENTRY_TAG, "Value": entry.id}, *_as_tags(before)]
    acl = ec2.create_network_acl(
        VpcId=vpc_id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}]
    )["NetworkAcl"]["NetworkAclId"]
    entry.created(acl)
    now = _associations(staging, before)
    for subnet in before:
        ec2.replace_network_acl_association(AssociationId=now[subnet]["id"], NetworkAclId=acl)


def give_back(staging: Staging, before: Mapping[str, str], entry: OpenEntry) -> None:
    """Give each subnet its own ACL back, read back, then remove ours.

    Raises Conflict when a subnet has another one by now.
    """
    ours = _made_for(staging, entry.id)
    _restore(staging, before, ours)
    now = of_subnets(staging, before)
    if now != before:
        raise Conflict(f"read back: {now}, should be {before}")
    for acl in ours:
        entry.created(acl)
        staging.aws("ec2").delete_network_acl(NetworkAclId=acl)


def _restore(staging: Staging, before: Mapping[str, str], ours: list[str]) -> None:
    ec2 = staging.aws("ec2")
    for subnet, association in _associations(staging, before).items():
        if association["acl"] == before[subnet]:
            continue
        if association["acl"] not in ours:
            raise Conflict(f"{subnet} has ACL {association['acl']}: neither the first one nor ours")
        ec2.replace_network_acl_association(AssociationId=association["id"], NetworkAclId=before[subnet])


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


def _as_tags(before: Mapping[str, str]) -> list[dict[str, str]]:
    """The way back, on the resource itself: healing survives the loss of every file of ours."""
    return [{"Key": f"blackstart:was:{subnet}", "Value": acl} for subnet, acl in before.items()]


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}
