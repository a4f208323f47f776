"""The alarms that tell the operators, and with it how soon a fault is detected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    DR_REGION,
    LEDGER,
    REGION,
    tag_list,
)
from staging.local.control_plane.seed_rules import PLACEMENT_FAILURE, SPOT_INTERRUPTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from staging.local.timings import Timings

ALB = "AWS/ApplicationELB"
LEDGER_METRICS = "Bank/Ledger"
EVENTS = "AWS/Events"
CANARIES, CANARY = "CloudWatchSynthetics", "customer"


@dataclass(frozen=True, kw_only=True)
class _Alarm:
    name: str
    means: str
    namespace: str = ALB
    metric: str
    statistic: str
    comparison: str
    threshold: float
    periods: int = 1
    zone: str = ""
    rule: str = ""
    missing: str = "notBreaching"


_ALARMS = (
    _Alarm(
        name="ledger-writer-unavailable", means="The ledger takes no writes.",
        namespace=LEDGER_METRICS, metric="WriterAvailable",
        statistic="Minimum", comparison="LessThanThreshold", threshold=1, missing="breaching",
    ),
    _Alarm(
        name="bank-api-unhealthy-targets", means="A task does not answer the load balancer.",
        metric="UnHealthyHostCount",
        statistic="Maximum", comparison="GreaterThanOrEqualToThreshold", threshold=1,
    ),
    _Alarm(
        name="bank-api-target-5xx", means="Tasks answer with errors.",
        metric="HTTPCode_Target_5XX_Count",
        statistic="Sum", comparison="GreaterThanOrEqualToThreshold", threshold=5,
    ),
    _Alarm(
        name="bank-api-elb-5xx", means="The load balancer finds no task that answers.",
        metric="HTTPCode_ELB_5XX_Count",
        statistic="Sum", comparison="GreaterThanOrEqualToThreshold", threshold=5,
    ),
    _Alarm(
        name="bank-api-slow", means="Answers take longer than 200 ms on average.",
        metric="TargetResponseTime",
        statistic="Average", comparison="GreaterThanThreshold", threshold=0.2, periods=3,
    ),
    _Alarm(
        name="bank-api-spot-interrupted", means="AWS takes Spot capacity back.",
        namespace=EVENTS, metric="TriggeredRules", rule=SPOT_INTERRUPTION,
        statistic="Sum", comparison="GreaterThanOrEqualToThreshold", threshold=1,
    ),
    _Alarm(
        name="bank-api-unplaced-tasks", means="There is no capacity for a task.",
        namespace=EVENTS, metric="TriggeredRules", rule=PLACEMENT_FAILURE,
        statistic="Sum", comparison="GreaterThanOrEqualToThreshold", threshold=1,
    ),
)  # fmt: skip
# in the other region, for those of the first one are lost with it
_UNREACHABLE = _Alarm(
    name="bank-unreachable", means="Customers find no bank, wherever their name leads.",
    namespace=CANARIES, metric="SuccessPercent",
    statistic="Maximum", comparison="LessThanThreshold", threshold=100, periods=3, missing="breaching",
)  # fmt: skip


def create_alarms(
    load_balancer: str, target_group: str, topic: str, timings: Timings, zones: Sequence[str]
) -> None:
    """Make them all, and one for each zone of the service; each notifies the topic, there and back."""
    for alarm in (*_ALARMS, *(_no_target_in(zone) for zone in zones)):
        _create(REGION, alarm, _dimensions(alarm, load_balancer, target_group), topic, timings)


def create_outside_alarm(topic: str, timings: Timings) -> None:
    """Make the one that watches the bank from the other region; it notifies a topic there."""
    _create(DR_REGION, _UNREACHABLE, [{"Name": "CanaryName", "Value": CANARY}], topic, timings)


def _create(
    region: str, alarm: _Alarm, dimensions: Sequence[Mapping[str, str]], topic: str, timings: Timings
) -> None:
    made = backend("cloudwatch", region).put_metric_alarm(
        name=alarm.name, description=alarm.means, namespace=alarm.namespace, metric_name=alarm.metric,
        statistic=alarm.statistic, comparison_operator=alarm.comparison, threshold=alarm.threshold,
        period=timings.alarm_period_s, evaluation_periods=alarm.periods, datapoints_to_alarm=alarm.periods,
        treat_missing_data=alarm.missing, dimensions=dimensions, alarm_actions=[topic], ok_actions=[topic],
        tags=tag_list(),
    )  # fmt: skip
    # as on AWS: nothing is known before the first evaluation; moto begins with OK
    made.state_value = "INSUFFICIENT_DATA"


def _no_target_in(zone: str) -> _Alarm:
    return _Alarm(
        name=f"bank-api-no-healthy-target-{zone}", means=f"No task in {zone} answers.",
        metric="HealthyHostCount", zone=zone,
        statistic="Minimum", comparison="LessThanThreshold", threshold=1, missing="breaching",
    )  # fmt: skip


def _dimensions(alarm: _Alarm, load_balancer: str, target_group: str) -> list[dict[str, str]]:
    if alarm.namespace == LEDGER_METRICS:
        wanted: Mapping[str, str] = {"DBClusterIdentifier": LEDGER}
    elif alarm.namespace == EVENTS:
        wanted = {"RuleName": alarm.rule}
    else:
        wanted = alb_dimensions(load_balancer, target_group, alarm.zone)
        if alarm.metric == "HTTPCode_ELB_5XX_Count":  # the balancer's own errors belong to no target group
            wanted = {"LoadBalancer": wanted["LoadBalancer"]}
    return [{"Name": name, "Value": value} for name, value in wanted.items()]


def alb_dimensions(load_balancer: str, target_group: str, zone: str = "") -> dict[str, str]:
    """Return the dimensions of a load balancer's metric: the tails of the ARNs."""
    return {
        "TargetGroup": target_group.rpartition(":")[2],
        "LoadBalancer": load_balancer.rpartition(":loadbalancer/")[2],
        **({"AvailabilityZone": zone} if zone else {}),
    }
