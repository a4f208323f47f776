"""Make one availability zone go dark: its subnets get a network ACL that denies everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.activities import activities
from blackstart.fault import Bite, NothingToBreak, Plan
from blackstart.waiting import TooLate, wait_until
from faults import acls, aurora

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging


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
        vpc = acls.vpc(staging, self.vpc)
        subnets = acls.subnets(staging, vpc.id, self.tiers, az)
        if not subnets:
            raise NothingToBreak(f"{self.vpc} has no subnet in {az} with a tier of {list(self.tiers)}")
        return Plan(
            targets=(*subnets, vpc),
            before=acls.of_subnets(staging, [subnet.id for subnet in subnets]),
            broken={"dark": az},
            shares=acls.share(staging, vpc, self.tiers, az),
            calls=acls.CALLS,
            heals=acls.HEALS,
        )

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Make the ACL, then move each subnet to it."""
        vpc_id = next(target.id for target in plan.targets if target.kind == "VPC")
        acls.deny(staging, vpc_id, plan.before, entry)

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
        acls.give_back(staging, plan.before, entry)

    def _zone(self, staging: Staging) -> str:
        kind, _, cluster = self.az.partition("writer of ")
        if kind or not cluster:
            return self.az
        writer = aurora.writer(aurora.describe(staging, cluster))
        instance = staging.aws("rds").describe_db_instances(DBInstanceIdentifier=writer)["DBInstances"][0]
        zone: str = instance["AvailabilityZone"]
        return zone

    def _targets_in(self, staging: Staging, az: str) -> list[dict[str, Any]]:
        elb = staging.aws("elbv2")
        group = elb.describe_target_groups(Names=[self.target_group])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target for target in health if target["Target"].get("AvailabilityZone") == az]


def _timed_out(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"].get("Reason") == "Target.Timeout")


def _healthy(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"]["State"] == "healthy")


inject, bite, heal = activities(SubnetBlackhole)
