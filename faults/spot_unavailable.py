"""Take all Spot capacity back, and give none for what shall replace it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from blackstart.activities import activities
from blackstart.choke import Refused
from blackstart.fault import Bite, Conflict, Plan, Target
from blackstart.staging import SpotMarket
from blackstart.waiting import TooLate, wait_until
from faults import spot

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_NO_CAPACITY = "Capacity is unavailable at this time"
_BACK_WITHIN_S = 300.0


@dataclass(frozen=True, kw_only=True)
class SpotUnavailable:
    """Interrupt every Spot task of an ECS service, and let no new one be placed.

    Needs a staging that decides over its Spot market; AWS lets nobody do so.
    """

    cluster: str
    service: str
    target_group: str
    bite_within_s: float = 60.0

    def prepare(self, staging: Staging) -> Plan:
        """Find the Spot tasks, and what the service's owner wants."""
        _market(staging)
        tasks = spot.running_tasks(staging, self.cluster, self.service)
        chosen = spot.spot_tasks(tasks, self.service)
        service, cluster = self._service(staging), self._cluster(staging)
        return Plan(
            targets=(
                *spot.targets(chosen),
                Target(
                    kind="ECS service", id=self.service, arn=service["serviceArn"], tags=spot.tags(service)
                ),
                Target(
                    kind="ECS cluster", id=self.cluster, arn=cluster["clusterArn"], tags=spot.tags(cluster)
                ),
            ),
            before={
                "cluster": cluster["clusterArn"],
                "strategy": service["capacityProviderStrategy"],
                "providers": spot.by_provider(tasks),
                "tasks": [task["taskArn"] for task in tasks],
            },
            broken={"interrupted": [task["taskArn"] for task in chosen]},
            shares=spot.share(self.service, chosen, tasks),
            calls=(
                "local:WithholdSpot", "local:ReclaimSpot", "local:OfferSpot", "ecs:UpdateService",
                "ecs:StopTask",
            ),
            heals=("local:OfferSpot", "ecs:UpdateService", "ecs:StopTask"),
        )  # fmt: skip

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Withhold first, so that no task slips through."""
        market = _market(staging)
        market.withhold(plan.before["cluster"])
        market.reclaim(plan.broken["interrupted"])

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """ECS says that it could not place a task, and no Spot task runs."""
        since = datetime.fromisoformat(plan.prepared_at)

        def refused() -> list[dict[str, Any]]:
            events = self._service(staging)["events"]
            return [e for e in events if _NO_CAPACITY in e["message"] and e["createdAt"] >= since]

        def gone() -> bool:
            tasks = spot.running_tasks(staging, self.cluster, self.service)
            return spot.SPOT not in spot.by_provider(tasks)

        try:
            events = wait_until(refused, within_s=self.bite_within_s, what="placement fails")
            wait_until(gone, within_s=self.bite_within_s, what="no Spot task runs")
        except TooLate as late:
            return Bite(confirmed=False, evidence=str(late))
        return Bite(
            confirmed=True,
            evidence=f"{len(plan.broken['interrupted'])} Spot tasks are gone, none runs; "
            f"ECS: {events[-1]['message']}",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Offer Spot capacity again, put the strategy back, and have tasks move back to Spot, one by one."""
        market = _market(staging)
        if market.withheld(plan.before["cluster"]):
            market.offer(plan.before["cluster"])
        self._restore_strategy(staging, plan)
        wait_until(
            lambda: self._moved_back(staging, plan, entry),
            within_s=_BACK_WITHIN_S,
            what=f"{self.service} runs {plan.before['providers']} again",
            every_s=0.5,
        )

    def _restore_strategy(self, staging: Staging, plan: Plan) -> None:
        """The platform may have fallen back to what is on demand; nothing else can have come of the fault."""
        before, now = plan.before["strategy"], self._service(staging)["capacityProviderStrategy"]
        if now == before:
            return
        if any(item["capacityProvider"] == spot.SPOT for item in now):
            raise Conflict(f"the strategy of {self.service} is {now}: neither the first one nor a fall-back")
        staging.aws("ecs").update_service(
            cluster=self.cluster, service=self.service, capacityProviderStrategy=before
        )

    def _moved_back(self, staging: Staging, plan: Plan, entry: OpenEntry) -> bool:
        """Look whether all is as before; once all are healthy, stop one task on the wrong capacity."""
        before: dict[str, int] = plan.before["providers"]
        tasks = spot.running_tasks(staging, self.cluster, self.service)
        now = spot.by_provider(tasks)
        settled = sum(now.values()) == len(tasks) == self._healthy(staging) == sum(before.values())
        if not settled:
            return False
        extra = [task for task in tasks if now[task["capacityProviderName"]] > _of(before, task)]
        if extra:
            entry.created(extra[-1]["taskArn"])  # the platform made it because of the fault
            staging.aws("ecs").stop_task(
                cluster=self.cluster, task=extra[-1]["taskArn"], reason="Back to Spot capacity"
            )
        return not extra

    def _cluster(self, staging: Staging) -> dict[str, Any]:
        ecs = staging.aws("ecs")
        found = ecs.describe_clusters(clusters=[self.cluster], include=["TAGS"])["clusters"]
        cluster: dict[str, Any] = found[0]
        return cluster

    def _service(self, staging: Staging) -> dict[str, Any]:
        found = staging.aws("ecs").describe_services(
            cluster=self.cluster, services=[self.service], include=["TAGS"]
        )["services"]
        service: dict[str, Any] = found[0]
        return service

    def _healthy(self, staging: Staging) -> int:
        elb = staging.aws("elbv2")
        group = elb.describe_target_groups(Names=[self.target_group])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return sum(target["TargetHealth"]["State"] == "healthy" for target in health)


def _market(staging: Staging) -> SpotMarket:
    market = staging.power(SpotMarket)
    if market is None:
        raise Refused("nobody can withhold Spot capacity on this staging: AWS has no call for it")
    return market


def _of(before: dict[str, int], task: dict[str, Any]) -> int:
    return before.get(task["capacityProviderName"], 0)


inject, bite, heal = activities(SpotUnavailable)
