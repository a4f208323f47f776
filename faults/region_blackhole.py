"""Take a whole region away: every subnet goes dark, and where possible its AWS API answers nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.activities import activities
from blackstart.fault import Bite, NothingToBreak, Plan
from blackstart.staging import RegionOutage
from blackstart.waiting import TooLate, wait_until
from faults import acls, bank
from faults.elsewhere import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_CUSTOMERS = "public"  # the tier that customers come in by
_ASKED: Mapping[str, str] = {
    "sts": "get_caller_identity",
    "ec2": "describe_vpcs",
    "rds": "describe_db_clusters",
    "backup": "list_backup_vaults",
}
_SILENT, _ANSWERS = "silent", "answers"
_SILENCE, _WAKE = "local:SilenceRegion", "local:WakeRegion"


@dataclass(frozen=True, kw_only=True)
class RegionBlackhole:
    """Take away the staging's own region: every subnet of a VPC (tag `Name`) in these tiers (tag `Tier`).

    People recover it in the region `elsewhere`. What they leave there (a ledger called `cluster`, a service
    with tasks, customers who are led there) is removed when the region is given back.
    """

    vpc: str
    tiers: tuple[str, ...]
    elsewhere: str
    cluster: str
    service: str  # CLUSTER/SERVICE, in both regions
    load_balancer: str
    target_group: str
    hosted_zone: str
    record: str
    bite_within_s: float = 120.0
    home_within_s: float = 900.0

    def prepare(self, staging: Staging) -> Plan:
        """Find the subnets and the ACL that each has now, what stands by elsewhere, and who is led where."""
        if self.elsewhere == staging.facts.region:
            raise NothingToBreak(f"{self.elsewhere} is the region that shall be lost: nothing would be left")
        vpc, power = acls.vpc(staging, self.vpc), staging.power(RegionOutage)
        # customers first: what they are told once the rest is dark, no copy could hold
        subnets = sorted(acls.subnets(staging, vpc.id, self.tiers), key=_is_inner)
        if not subnets:
            raise NothingToBreak(f"{self.vpc} has no subnet with a tier of {list(self.tiers)}")
        had = acls.of_subnets(staging, [subnet.id for subnet in subnets])
        there = self._there()
        return Plan(
            targets=(*subnets, vpc, *there.targets(staging)),
            before={**{subnet.id: had[subnet.id] for subnet in subnets}, **there.before(staging)},
            broken={"dark": staging.facts.region, "api": _ANSWERS if power is None else _SILENT},
            elsewhere=self.elsewhere,
            shares=acls.share(staging, vpc, self.tiers),
            loses_region=True,
            calls=(*acls.CALLS, *([] if power is None else [_SILENCE, _WAKE]), *there.CALLS),
            heals=(*acls.HEALS, *([] if power is None else [_WAKE]), *there.CALLS),
        )

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Darken the subnets, then silence the API, which nobody could ask for anything afterwards."""
        acls.deny(staging, _vpc(plan), _acls(plan), entry)
        power = staging.power(RegionOutage)
        if power is not None:
            power.silence(_vpc(plan))

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """Customers get no answer, nor does whoever calls the region's API; the other region answers."""
        region, wanted = plan.broken["dark"], plan.broken["api"]
        seen: dict[str, Any] = {}

        def proof() -> bool:
            seen["customers"] = _ANSWERS if bank.answers(staging) else _SILENT
            seen["answering"] = [service for service, does in _asked(staging).items() if does]
            silent = seen["customers"] == _SILENT and (wanted == _ANSWERS or not seen["answering"])
            return silent and _answers(staging, "sts", self.elsewhere)

        try:
            wait_until(proof, within_s=self.bite_within_s, what=f"{region} cannot be reached", every_s=0.2)
        except TooLate as late:
            return Bite(confirmed=False, evidence=f"{late}; {seen}")
        said = f"{len(_acls(plan))} subnets deny all and customers get no answer"
        if wanted == _ANSWERS:
            return Bite(
                confirmed=True,
                evidence=f"approximation: AWS takes no region away on demand. {said}, but "
                f"{', '.join(seen['answering'])} of {region} answer as ever, and so do its backups",
            )
        return Bite(
            confirmed=True,
            evidence=f"{said}; {', '.join(_ASKED)} of {region} answer nothing, while {self.elsewhere} does",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Give the region back, lead customers home once it serves, then remove what was made elsewhere."""
        power = staging.power(RegionOutage)
        if power is not None:
            power.wake(_vpc(plan))
        acls.give_back(staging, _acls(plan), entry)
        wait_until(
            lambda: self._home_is_healthy(staging), within_s=self.home_within_s,
            what=f"a task in {plan.broken['dark']} is healthy", every_s=0.5,
        )  # fmt: skip
        there = self._there()
        there.send_home(staging, plan.before)
        wait_until(
            lambda: bank.ready(staging), within_s=self.home_within_s, what="the bank is ready", every_s=0.5
        )
        there.remove(staging, plan.before, entry)
        there.read_back(staging, plan.before)

    def _there(self) -> Elsewhere:
        return Elsewhere(
            region=self.elsewhere, cluster=self.cluster, service=self.service,
            load_balancer=self.load_balancer, hosted_zone=self.hosted_zone, record=self.record,
        )  # fmt: skip

    def _home_is_healthy(self, staging: Staging) -> bool:
        elb = staging.aws("elbv2")
        group = elb.describe_target_groups(Names=[self.target_group])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return any(target["TargetHealth"]["State"] == "healthy" for target in health)


def _is_inner(subnet: Any) -> bool:
    return bool(subnet.tags.get("Tier") != _CUSTOMERS)


def _vpc(plan: Plan) -> str:
    return next(target.id for target in plan.targets if target.kind == "VPC")


def _acls(plan: Plan) -> dict[str, str]:
    """Return the ACL that each subnet had, customers' subnets first."""
    return {target.id: plan.before[target.id] for target in plan.targets if target.kind == "subnet"}


def _asked(staging: Staging) -> dict[str, bool]:
    """Tell which services of the staging's own region answer anything at all; all are asked at once."""
    with ThreadPoolExecutor(max_workers=len(_ASKED)) as askers:
        answered = askers.map(lambda service: _answers(staging, service), _ASKED)
        return dict(zip(_ASKED, answered, strict=True))


def _answers(staging: Staging, service: str, region: str = "") -> bool:
    """Tell whether a service answers a read; an error is an answer too."""
    try:
        getattr(staging.aws(service, region), _ASKED[service])()
    except ClientError:
        return True
    except BotoCoreError:
        return False
    return True


inject, bite, heal = activities(RegionBlackhole)
