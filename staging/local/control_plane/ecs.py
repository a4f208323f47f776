"""The ECS API over the scheduler: its tasks are the real processes, and nothing else moves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from moto.core.utils import camelcase_to_underscores

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    NAME,
    SERVICE,
    TAGS,
    TASK_PORT,
    Platform,
    arn,
    zone_of,
)
from staging.local.control_plane.protocol import AwsError, refuse, unimplemented
from staging.local.placement import Provider, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call
    from staging.local.scheduler import Scheduler
    from staging.local.task import Task
    from staging.local.timings import Timings

# moto would note these down, and no process would start or end.
_BOOKKEEPING_ONLY = ("CreateService", "DeleteService", "RunTask", "StartTask", "DeleteCluster")


def wanted_now(platform: Platform, timings: Timings) -> Wanted:
    """Read what the service's owner wants from moto's state."""
    service = _service(platform.region)
    subnets = service.network_configuration["awsvpcConfiguration"]["subnets"]
    limits = service.deployment_configuration
    return Wanted(
        desired_count=int(service.desired_count),
        subnets=tuple(platform.subnet_name(subnet) for subnet in subnets),
        strategy=tuple(
            Provider(name=entry["capacityProvider"], base=entry.get("base", 0), weight=entry.get("weight", 0))
            for entry in service.capacity_provider_strategy
        ),
        grace_s=float(service.health_check_grace_period_seconds),
        notice_s=timings.notice_s,
        maximum_percent=limits.get("maximumPercent", 200),
        minimum_healthy_percent=limits.get("minimumHealthyPercent", 100),
        rebalance=service.availability_zone_rebalancing == "ENABLED",
    )


def register(front: Front, by_region: Mapping[str, Ecs]) -> None:
    """Answer for ECS, each region by its own."""

    def reflect(call: Call) -> None:
        by_region[call.region].reflect()

    front.before("ecs", "DescribeServices", "DescribeClusters")(reflect)
    front.before("ecs", *_BOOKKEEPING_ONLY)(refuse)
    for action, method in (
        ("UpdateService", Ecs.update_service),
        ("ListTasks", Ecs.list_tasks),
        ("DescribeTasks", Ecs.describe_tasks),
        ("StopTask", Ecs.stop_task),
    ):
        front.regional("ecs", action)(lambda region, params, call=method: call(by_region[region], params))


class Ecs:
    """Answers for the tasks of one region; lets moto answer for services and clusters, with true counts."""

    def __init__(
        self, scheduler: Scheduler, platform: Platform, on_update: Callable[[], None] = lambda: None
    ) -> None:
        self._scheduler = scheduler
        self._platform = platform
        self._on_update = on_update

    def reflect(self) -> None:
        """Write the scheduler's counts and events into moto's service and cluster."""
        shall_run = [task for task in self._scheduler.tasks if task.desired == "RUNNING"]
        running = sum(task.status == "RUNNING" for task in shall_run)
        pending = len(shall_run) - running
        region = self._platform.region
        service, cluster = _service(region), backend("ecs", region).clusters[NAME]
        service.running_count, service.pending_count = running, pending
        service.deployments[0].update(
            desiredCount=service.desired_count, runningCount=running, pendingCount=pending,
            rolloutState="COMPLETED" if running >= service.desired_count else "IN_PROGRESS",
        )  # fmt: skip
        service.events = [_event(at, message) for at, message in list(self._scheduler.events)]
        cluster.running_tasks_count, cluster.pending_tasks_count = running, pending
        cluster.active_services_count = 1

    def update_service(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Change what the service wants; members named as in the AWS API."""
        if {"taskDefinition", "forceNewDeployment"} & {name for name, value in params.items() if value}:
            raise unimplemented("ecs", "UpdateService with a new deployment")
        backend("ecs", self._platform.region).update_service(
            {camelcase_to_underscores(name): value for name, value in params.items()}
        )
        self._on_update()
        self._scheduler.wake()
        self.reflect()
        return {"service": _service(self._platform.region)}

    def list_tasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ARNs of those tasks that the service has."""
        _require_cluster(params)
        if params.get("serviceName", SERVICE).rpartition("/")[2] != SERVICE:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        desired = params.get("desiredStatus", "RUNNING")
        found = [task for task in self._scheduler.tasks if task.desired == desired]
        if params.get("family", SERVICE) != SERVICE or params.get("launchType", "FARGATE") != "FARGATE":
            found = []
        return {"taskArns": [self._arn(task) for task in found]}

    def describe_tasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return tasks as the API describes them."""
        _require_cluster(params)
        known = {task.id: task for task in self._scheduler.tasks}
        asked = [name.rpartition("/")[2] for name in params["tasks"]]
        return {
            "tasks": [self.described(known[task_id]) for task_id in asked if task_id in known],
            "failures": [
                {"arn": self._own("task", task_id), "reason": "MISSING"}
                for task_id in asked
                if task_id not in known
            ],
        }

    def stop_task(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to stop a task."""
        _require_cluster(params)
        task_id = params["task"].rpartition("/")[2]
        task = next((task for task in self._scheduler.tasks if task.id == task_id), None)
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        self._scheduler.stop_task(task.id, "UserInitiated", params.get("reason") or "Task stopped by user")
        return {"task": self.described(task)}

    def described(self, task: Task) -> dict[str, Any]:
        """Return a task as the API describes it."""
        return {
            "taskArn": self._arn(task),
            "clusterArn": self._platform.cluster,
            "taskDefinitionArn": arn("ecs", f"task-definition/{SERVICE}:1", self._platform.region),
            "group": f"service:{SERVICE}",
            "startedBy": _service(self._platform.region).deployments[0]["id"],
            "launchType": "FARGATE",
            "capacityProviderName": task.provider,
            "platformVersion": "1.4.0",
            "cpu": "256",
            "memory": "512",
            "lastStatus": task.status,
            "desiredStatus": task.desired,
            "healthStatus": "UNKNOWN",  # of the container's own check, and it has none
            "availabilityZone": zone_of(task.subnet),
            "createdAt": task.created_at,
            "startedAt": task.started_at,
            "stoppingAt": task.stopping_at,
            "stoppedAt": task.stopped_at,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason or None,
            "attachments": [self._attachment(task)],
            "containers": [self._container(task)],
            "tags": [{"key": key, "value": value} for key, value in TAGS.items()],
        }

    def _attachment(self, task: Task) -> dict[str, Any]:
        details = {
            "subnetId": self._platform.subnets[task.subnet],
            "networkInterfaceId": task.interface,
            "privateIPv4Address": task.ip,
        }
        return {
            "id": task.attachment,
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if task.status == "STOPPED" else "ATTACHED",
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }

    def _container(self, task: Task) -> dict[str, Any]:
        return {
            "containerArn": self._own("container", f"{task.id}/{SERVICE}"),
            "taskArn": self._arn(task),
            "name": SERVICE,
            "image": "bank-api:local",
            "lastStatus": task.status,
            "exitCode": task.exit_code,
            "networkInterfaces": [{"attachmentId": task.attachment, "privateIpv4Address": task.ip}],
            "networkBindings": [{"containerPort": TASK_PORT, "hostPort": TASK_PORT, "protocol": "tcp"}],
        }

    def _arn(self, task: Task) -> str:
        return self._own("task", task.id)

    def _own(self, kind: str, name: str) -> str:
        return arn("ecs", f"{kind}/{NAME}/{name}", self._platform.region)


def _service(region: str) -> Any:
    return backend("ecs", region).services[f"{NAME}:{SERVICE}"]


def _event(at: float, message: str) -> dict[str, Any]:
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{at}{message}")),
        "createdAt": datetime.fromtimestamp(at, UTC),
        "message": message,
    }


def _require_cluster(params: Mapping[str, Any]) -> None:
    if params.get("cluster", "default").rpartition("/")[2] != NAME:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
