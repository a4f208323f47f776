"""What ECS tells EventBridge, and what the platform's rules make of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import ACCOUNT, REGION, Platform, arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.task import Task

Event = dict[str, Any]


class EcsEvents:
    """Lives in the event loop. `functions` are the platform's Lambda functions, by their ARNs."""

    def __init__(
        self,
        platform: Platform,
        describe: Callable[[Task], dict[str, Any]],
        functions: Mapping[str, Callable[[Event], None]],
        on_match: Callable[[str], None],
    ) -> None:
        self._platform = platform
        self._describe = describe
        self._functions = functions
        self._on_match = on_match

    def task_state_change(self, task: Task) -> None:
        """Tell that a task is to stop: for a Spot task that is its two-minute warning."""
        described = self._describe(task)
        self._publish("ECS Task State Change", described["taskArn"], described)

    def placement_failure(self, provider: str) -> None:
        """Tell that there is no capacity for a task."""
        detail = {
            "eventType": "ERROR",
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "clusterArn": self._platform.cluster,
            "capacityProviderArns": [arn("ecs", f"capacity-provider/{provider}")],
            "reason": "RESOURCE:FARGATE",
            "createdAt": datetime.now(UTC),
        }
        self._publish("ECS Service Action", self._platform.service, detail)

    def _publish(self, kind: str, resource: str, detail: Mapping[str, Any]) -> None:
        event = {
            "version": "0", "id": str(uuid4()), "detail-type": kind, "source": "aws.ecs", "account": ACCOUNT,
            "time": _written(datetime.now(UTC)), "region": REGION, "resources": [resource],
            "detail": json.loads(json.dumps(_without_none(detail), default=_written)),
        }  # fmt: skip
        for rule in list(backend("events").describe_event_bus("default").rules.values()):
            if rule.state == "ENABLED" and rule.event_pattern.matches_event(event):
                self._on_match(rule.name)
                for target in rule.targets:
                    self._deliver(target["Arn"], event)

    def _deliver(self, target: str, event: Event) -> None:
        if target in self._functions:
            self._functions[target](event)
        else:
            backend("sqs").send_message(target.rpartition(":")[2], json.dumps(event))


def _without_none(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in detail.items() if value is not None}


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
