"""Make one availability zone go dark: its subnets get a network ACL that denies everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.activities import activities
from blackstart.fault import Bite, Conflict, NothingToBreak, Plan, Target
from blackstart.waiting import TooLate, wait_until
from faults import aurora

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_ENTRY_TAG = "blackstart:entry"


@dataclass(frozen=True, kw_only=True)
class SubnetBlackhole:
    """Isolate the subnets of one AZ in the given tiers (tag `Tier`) of a VPC (tag `Name`).

    `az` is a zone's name, or "writer of CLUSTER": the zone where that Aurora cluster's writer is now. The
    new ACL has no rules of its own, so it denies everything.
    """

    vpc: str
    az: str
    tiers: tuple[str, ...]
    target_group: str
    bite_within_s: float = 120.0

    def prepare(self, staging: Staging) -> Plan:
        """Find the subnets and the ACL that each of them has now."""
        az = self._zone(staging)
        subnets = self._subnets(staging, az)
        found = _associations(staging, [subnet["SubnetId"] for subnet in subnets])
        return Plan(
            targets=(*map(_target, subnets), self._vpc(staging, subnets[0]["VpcId"])),
            before={subnet: association["acl"] for subnet, association in found.items()},
            broken={"dark": az},
            calls=("ec2:CreateNetworkAcl", "ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl"),
        )

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Make the ACL, then move each subnet to it."""
        ec2 = staging.aws("ec2")
        tags = [{"Key": _ENTRY_TAG, "Value": entry.id}, *_as_tags(plan.before)]
        vpc_id = next(target.id for target in plan.targets if target.kind == "VPC")
        acl = ec2.create_network_acl(
            VpcId=vpc_id, TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}]
        )["NetworkAcl"]["NetworkAclId"]
        entry.created(acl)
        for association in _associations(staging, list(plan.before)).values():
            ec2.replace_network_acl_association(AssociationId=association["id"], NetworkAclId=acl)

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """The balancer's health checks get no answer from the zone, and no target in it is healthy."""
        az, silent = plan.broken["dark"], set[str]()

        def dark() -> bool:
            targets = self._targets_in(staging, az)
            silent.update(t["Target"]["Id"] for t in targets if _timed_out(t))
            return bool(silent) and not any(_healthy(t) for t in targets)

        try:
            wait_until(dark, within_s=self.bite_within_s, what=f"no target in {az} answers", every_s=0.2)
        except TooLate as late:
            return Bite(confirmed=False, evidence=f"{late}; silent: {sorted(silent)}")
        return Bite(
            confirmed=True,
            evidence=f"{len(plan.before)} subnets of {az} deny all; health checks of "
            f"{len(silent)} targets there timed out, 0 are healthy",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Give each subnet its own ACL back, read back, then remove ours."""
        ours = _acls_of(staging, entry.id)
        self._restore(staging, plan, ours)
        now = {subnet: found["acl"] for subnet, found in _associations(staging, list(plan.before)).items()}
        if now != plan.before:
            raise Conflict(f"read back: {now}, should be {plan.before}")
        for acl in ours:
            entry.created(acl)
            staging.aws("ec2").delete_network_acl(NetworkAclId=acl)

    def _restore(self, staging: Staging, plan: Plan, ours: list[str]) -> None:
        ec2 = staging.aws("ec2")
        for subnet, association in _associations(staging, list(plan.before)).items():
            if association["acl"] == plan.before[subnet]:
                continue
            if association["acl"] not in ours:
                raise Conflict(f"{subnet} has ACL {association['acl']}: neither the first one nor ours")
            ec2.replace_network_acl_association(
                AssociationId=association["id"], NetworkAclId=plan.before[subnet]
            )

    def _zone(self, staging: Staging) -> str:
        kind, _, cluster = self.az.partition("writer of ")
        if kind or not cluster:
            return self.az
        writer = aurora.writer(aurora.describe(staging, cluster))
        instance = staging.aws("rds").describe_db_instances(DBInstanceIdentifier=writer)["DBInstances"][0]
        zone: str = instance["AvailabilityZone"]
        return zone

    def _subnets(self, staging: Staging, az: str) -> list[dict[str, Any]]:
        ec2 = staging.aws("ec2")
        vpcs = ec2.describe_vpcs(Filters=[_filter("tag:Name", self.vpc)])["Vpcs"]
        if len(vpcs) != 1:
            raise NothingToBreak(f"{len(vpcs)} VPCs are called {self.vpc!r}, one was expected")
        wanted = [_filter("vpc-id", vpcs[0]["VpcId"]), _filter("availability-zone", az)]
        subnets = ec2.describe_subnets(Filters=[*wanted, _filter("tag:Tier", *self.tiers)])["Subnets"]
        if not subnets:
            raise NothingToBreak(f"{self.vpc} has no subnet in {az} with a tier of {list(self.tiers)}")
        found: list[dict[str, Any]] = subnets
        return found

    def _vpc(self, staging: Staging, vpc_id: str) -> Target:
        vpc = staging.aws("ec2").describe_vpcs(VpcIds=[vpc_id])["Vpcs"][0]
        return Target(kind="VPC", id=vpc_id, tags=_tags(vpc))

    def _targets_in(self, staging: Staging, az: str) -> list[dict[str, Any]]:
        elb = staging.aws("elbv2")
        group = elb.describe_target_groups(Names=[self.target_group])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target for target in health if target["Target"].get("AvailabilityZone") == az]


def _associations(staging: Staging, subnets: list[str]) -> dict[str, dict[str, str]]:
    """Return `{subnet: {"id": association, "acl": ACL}}`."""
    acls = staging.aws("ec2").describe_network_acls(
        Filters=[_filter("association.subnet-id", *sorted(subnets))]
    )["NetworkAcls"]
    return {
        association["SubnetId"]: {
            "id": association["NetworkAclAssociationId"],
            "acl": association["NetworkAclId"],
        }
        for acl in acls
        for association in acl["Associations"]
        if association["SubnetId"] in subnets
    }


def _acls_of(staging: Staging, entry_id: str) -> list[str]:
    """Return the ACLs that this entry's fault made, also when it died before it could write them down."""
    acls = staging.aws("ec2").describe_network_acls(Filters=[_filter(f"tag:{_ENTRY_TAG}", entry_id)])
    return [acl["NetworkAclId"] for acl in acls["NetworkAcls"]]


def _target(subnet: dict[str, Any]) -> Target:
    return Target(kind="subnet", id=subnet["SubnetId"], arn=subnet.get("SubnetArn", ""), tags=_tags(subnet))


def _timed_out(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"].get("Reason") == "Target.Timeout")


def _healthy(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"]["State"] == "healthy")


def _tags(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def _as_tags(before: dict[str, str]) -> list[dict[str, str]]:
    """The way back, on the resource itself: healing survives the loss of every file of ours."""
    return [{"Key": f"blackstart:was:{subnet}", "Value": acl} for subnet, acl in before.items()]


def _filter(name: str, *values: str) -> dict[str, Any]:
    return {"Name": name, "Values": list(values)}


inject, bite, heal = activities(SubnetBlackhole)
