"""Target health as the real load balancer sees it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from staging.local.control_plane.platform import TASK_PORT, Platform, zone_of
from staging.local.control_plane.protocol import AwsError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front
    from staging.local.task import Task

_DESCRIPTIONS = {
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.ResponseCodeMismatch": "Health checks failed with an unexpected response code",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.NotRegistered": "Target is not registered to the target group",
}
# moto would note these down, and the load balancer would not know.
_BOOKKEEPING_ONLY = (
    "RegisterTargets",
    "DeleteTargetGroup",
    "DeleteLoadBalancer",
    "SetSubnets",
)


class TargetHealth(Protocol):
    """What the balancer thinks of one target."""

    @property
    def state(self) -> str:
        """An ALB's word."""

    @property
    def reason(self) -> str:
        """An ALB's code; empty when healthy."""


class Balancer(Protocol):
    """What this plane asks of the load balancer."""

    async def health(self) -> Mapping[str, TargetHealth]:
        """Return what it thinks of each target."""

    async def drain(self, target: str) -> None:
        """Send nothing new there; what has begun may finish."""


def register(front: Front, by_region: Mapping[str, Elbv2]) -> None:
    """Answer for the load balancers, each region by its own."""
    for action, method in (
        ("DescribeTargetHealth", Elbv2.describe_target_health),
        ("DeregisterTargets", Elbv2.deregister_targets),
    ):
        front.regional("elbv2", action)(lambda region, params, call=method: call(by_region[region], params))
    front.before("elbv2", *_BOOKKEEPING_ONLY)(refuse)


class Elbv2:
    """Answers for the health of one region's targets; moto answers for the rest."""

    def __init__(
        self, balancer: Balancer, tasks: Callable[[], list[Task]], platform: Platform, bridge: Bridge
    ) -> None:
        self._balancer = balancer
        self._tasks = tasks
        self._platform = platform
        self._bridge = bridge

    def deregister_targets(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """A target that leaves drains; ECS removes it when its task has stopped."""
        self._require_group(params)
        tasks = {task.ip: task for task in self._tasks() if task.registered}
        for target in params["Targets"]:
            if target["Id"] not in tasks:
                message = f"The target {target['Id']} is not registered with the target group"
                raise AwsError("InvalidTarget", message)
            self._bridge.run(self._balancer.drain(tasks[target["Id"]].id))
        return {}

    def _require_group(self, params: Mapping[str, Any]) -> None:
        if params["TargetGroupArn"] != self._platform.target_group:
            raise AwsError(
                "TargetGroupNotFound", "One or more target groups not found", HTTPStatus.BAD_REQUEST
            )

    def describe_target_health(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the load balancer thinks of its targets."""
        self._require_group(params)
        health = self._bridge.run(self._balancer.health())
        targets = {task.ip: _described(task, health[task.id]) for task in self._tasks() if task.id in health}
        asked = [target["Id"] for target in params.get("Targets", ())]
        found = [targets.get(ip) or _stranger(ip) for ip in asked] if asked else list(targets.values())
        return {"TargetHealthDescriptions": found}


def _described(task: Task, health: TargetHealth) -> dict[str, Any]:
    state = {"State": health.state}
    if health.state != "healthy":
        state |= {"Reason": health.reason, "Description": _DESCRIPTIONS.get(health.reason, health.reason)}
    return {
        "Target": {"Id": task.ip, "Port": TASK_PORT, "AvailabilityZone": zone_of(task.subnet)},
        "HealthCheckPort": str(TASK_PORT),
        "TargetHealth": state,
    }


def _stranger(ip: str) -> dict[str, Any]:
    reason = "Target.NotRegistered"
    return {
        "Target": {"Id": ip, "Port": TASK_PORT},
        "TargetHealth": {"State": "unused", "Reason": reason, "Description": _DESCRIPTIONS[reason]},
    }
