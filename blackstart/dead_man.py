"""The dead man: a one-time schedule in the account that heals when no runner and no watchdog is left to.

EventBridge Scheduler calls a function of ours at an instant that is put off for as long as the drill lives,
and removed at its end. It is precise to the minute: when a whole machine is lost, staging stays broken for up
to `FIRES_AFTER_S` and a minute, and as long as healing takes.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from blackstart.own import Own

FIRES_AFTER_S = 600.0
RENEW_EVERY_S = 120.0
_RETRIES = 3


class DeadMan:
    """The schedule of one environment."""

    def __init__(self, own: Own) -> None:
        self._own = own

    def arm(self) -> datetime:
        """Make the schedule, or put it off; return the instant at which it fires."""
        fires = datetime.now(UTC) + timedelta(seconds=FIRES_AFTER_S)
        schedule = self._schedule(fires)
        try:
            self._own.scheduler.update_schedule(**schedule)
        except ClientError as error:
            if not _is(error, "ResourceNotFoundException"):
                raise
            self._own.scheduler.create_schedule(**schedule)
        return fires

    def disarm(self) -> None:
        """Remove the schedule; idempotent."""
        try:
            self._own.scheduler.delete_schedule(Name=self._own.schedule)
        except ClientError as error:
            if not _is(error, "ResourceNotFoundException"):
                raise

    def _schedule(self, fires: datetime) -> dict[str, Any]:
        safeguards = self._own.safeguards
        return {
            "Name": self._own.schedule,
            "Description": "Heals what a drill has left broken whose runner is lost.",
            "ScheduleExpression": f"at({fires:%Y-%m-%dT%H:%M:%S})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": safeguards.heal_function,
                "RoleArn": safeguards.schedule_role,
                "Input": json.dumps({"environment": self._own.environment}),
                "RetryPolicy": {"MaximumRetryAttempts": _RETRIES},
            },
        }


def _is(error: ClientError, code: str) -> bool:
    return bool(error.response["Error"]["Code"] == code)
