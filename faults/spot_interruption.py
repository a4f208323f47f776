"""Take the Spot capacity of running tasks back: SIGTERM and a warning, SIGKILL two minutes later."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.activities import activities
from blackstart.fault import Bite, Plan
from blackstart.waiting import TooLate, wait_until
from faults import spot

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_WHICH = ("one", "zone", "all")
_BACK_WITHIN_S = 300.0


@dataclass(frozen=True, kw_only=True)
class SpotInterruption:
    """Interrupt Spot tasks of an ECS service: the oldest ("one"), those of the zone with most, or "all"."""

    cluster: str
    service: str
    which: str
    bite_within_s: float = 240.0

    def __post_init__(self) -> None:
        """Refuse what is none of the three."""
        if self.which not in _WHICH:
            raise ValueError(f"which is {self.which!r}, must be one of {', '.join(_WHICH)}")

    def prepare(self, staging: Staging) -> Plan:
        """Find the Spot tasks, and what else the service runs."""
        tasks = spot.running_tasks(staging, self.cluster, self.service)
        chosen = self._chosen(spot.spot_tasks(tasks, self.service))
        call, stop_code = spot.reclaiming(staging)
        return Plan(
            targets=spot.targets(chosen),
            before={"providers": spot.by_provider(tasks), "tasks": [task["taskArn"] for task in tasks]},
            broken={"interrupted": [task["taskArn"] for task in chosen], "stopCode": stop_code},
            calls=(call,),
            heals=(),
            shares=spot.share(self.service, chosen, tasks),
        )

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Take their capacity back."""
        spot.reclaim(staging, self.cluster, plan.broken["interrupted"])

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """Each has stopped for this reason. Whether others run in their place is for the drill to judge."""
        interrupted, stop_code = plan.broken["interrupted"], plan.broken["stopCode"]

        def stopped() -> list[dict[str, Any]]:
            found = spot.described(staging, self.cluster, interrupted)
            ended = [t for t in found if t["lastStatus"] == "STOPPED" and t["stopCode"] == stop_code]
            return ended if len(ended) == len(interrupted) else []

        try:
            ended = wait_until(stopped, within_s=self.bite_within_s, what=f"they stop with {stop_code}")
        except TooLate as late:
            return Bite(confirmed=False, evidence=f"{late}: {interrupted}")
        return Bite(confirmed=True, evidence=_evidence(ended, stop_code))

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - it made nothing
        """Nothing has to be put back: wait until the service runs as many tasks on the same capacity."""
        before = plan.before["providers"]
        wait_until(
            lambda: spot.by_provider(spot.running_tasks(staging, self.cluster, self.service)) == before,
            within_s=_BACK_WITHIN_S,
            what=f"{self.service} runs {before} again",
        )

    def _chosen(self, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.which == "one":
            return tasks[:1]
        if self.which == "all":
            return tasks
        zones = Counter(task["availabilityZone"] for task in tasks)
        fullest = max(sorted(zones), key=zones.__getitem__)
        return [task for task in tasks if task["availabilityZone"] == fullest]


def _evidence(ended: list[dict[str, Any]], stop_code: str) -> str:
    zones = sorted({task["availabilityZone"] for task in ended})
    codes = sorted({str(task["containers"][0].get("exitCode")) for task in ended})
    reasons = sorted({task["stoppedReason"] for task in ended})
    said = (
        f"{len(ended)} tasks in {', '.join(zones)} stopped with {stop_code} ({'; '.join(reasons)}), "
        f"exit code {', '.join(codes)}"
    )
    if stop_code == spot.STOPPED_BY_CALL:
        return f"approximation: AWS interrupts no Spot task on demand, ecs:StopTask ended them; {said}"
    return said


inject, bite, heal = activities(SpotInterruption)
