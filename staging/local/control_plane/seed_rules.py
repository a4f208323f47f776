"""The EventBridge rules that tell the operators, and the platform's functions, of what ECS goes through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import ON_DEMAND_INSTEAD, arn, tag_list

if TYPE_CHECKING:
    from collections.abc import Mapping

SPOT_INTERRUPTION, PLACEMENT_FAILURE = "spot-interruption", "placement-failure"


def create_rules(*, falls_back: bool) -> None:
    """Make them; each tells the inbox, and without Spot capacity a function is called, if there is one."""
    inbox = arn("sqs", "ops-inbox")
    interrupted = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"stopCode": ["SpotInterruption"]},
    }
    unplaced = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Service Action"],
        "detail": {"eventName": ["SERVICE_TASK_PLACEMENT_FAILURE"]},
    }
    _create(SPOT_INTERRUPTION, interrupted, inbox)
    _create(PLACEMENT_FAILURE, unplaced, inbox, *((ON_DEMAND_INSTEAD,) if falls_back else ()))


def _create(name: str, pattern: Mapping[str, object], *targets: str) -> None:
    events = backend("events")
    events.put_rule(name, event_pattern=json.dumps(pattern), state="ENABLED", tags=tag_list())
    named = [{"Id": target.rpartition(":")[2], "Arn": target} for target in targets]
    events.put_targets(name, None, named)
