"""What an alarm tells its SNS topics: the same JSON that AWS publishes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import ACCOUNT, DR_REGION, REGION

if TYPE_CHECKING:
    from datetime import datetime

    from staging.local.alarms import State

_NAMES = {REGION: "US East (N. Virginia)", DR_REGION: "US West (Oregon)"}


def notify(topic: str, alarm: Any, before: State) -> None:
    """Publish what AWS publishes, so that whoever reads the inbox finds the same there."""
    region = topic.split(":")[3]  # alarms notify topics of their own region only
    subject = f'{alarm.state_value}: "{alarm.name}" in {_NAMES[region]}'
    message = json.dumps(_message(alarm, before, region))
    backend("sns", region).publish(message, topic, subject=subject)


def _message(alarm: Any, before: State, region: str) -> dict[str, Any]:
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _written(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _written(alarm.state_updated_timestamp),
        "Region": _NAMES[region],
        "AlarmArn": f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{alarm.name}",
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": alarm.statistic.upper(),
            "Unit": alarm.unit,
            "Dimensions": [
                {"value": dimension.value, "name": dimension.name} for dimension in alarm.dimensions
            ],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data,
        },
    }


def _written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
