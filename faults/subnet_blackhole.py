"""Make one availability zone go dark: its subnets get a network ACL that denies everything."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from blackstart.activities import activities
from blackstart.fault import Bite, NothingToBreak, Plan
from blackstart.waiting import TooLate, wait_until
from faults import acls, aurora, bank

if TYPE_CHECKING:
    from collections.abc import Collection

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_HEARD: Final = 12  # customers in a row: that none of them meets one zone of two by chance is 1 in 4,096


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
        """The balancer's health checks get no answer from the zone, and no target in it is healthy.

        A balancer that finds nothing dead for too long is the platform's failure. Then customers prove it:
        some get no answer, some one from another zone, and none from this.
        """
        az, silent = plan.broken["dark"], set[str]()
        heard: deque[str] = deque(maxlen=_HEARD)

        def dark() -> bool:
            targets = self._targets_in(staging, az)
            silent.update(t["Target"]["Id"] for t in targets if _timed_out(t))
            return bool(silent) and not any(_healthy(t) for t in targets)

        def unheard() -> bool:
            heard.append(bank.zone(staging))
            return is_unheard(heard, az)

        what, soon_s = f"no target in {az} answers", self.bite_within_s / 4
        try:
            with suppress(TooLate):
                wait_until(dark, within_s=soon_s, what=what, every_s=0.2)
            wait_until(lambda: dark() or unheard(), within_s=self.bite_within_s - soon_s, what=what)
        except TooLate as late:
            return Bite(confirmed=False, evidence=f"{late}; silent: {sorted(silent)}")
        if not dark():
            others = ", ".join(sorted(set(heard) - {""}))
            return Bite(
                confirmed=True,
                evidence=f"{len(plan.before)} subnets of {az} deny all; {heard.count('')} of {len(heard)} "
                f"customers got no answer, the others one from {others}; the balancer has not noticed",
            )
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


def is_unheard(heard: Collection[str], az: str) -> bool:
    """Tell whether the last customers who asked prove a zone dark, by the zone that answered each."""
    return len(heard) == _HEARD and az not in heard and "" in heard and any(heard)


def _timed_out(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"].get("Reason") == "Target.Timeout")


def _healthy(target: dict[str, Any]) -> bool:
    return bool(target["TargetHealth"]["State"] == "healthy")


inject, bite, heal = activities(SubnetBlackhole)
