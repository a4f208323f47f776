"""The RDS Data API: SQL over HTTPS, and with it Aurora's own fault injection queries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from staging.local.aurora.state import AuroraError, ClusterState
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    LEDGER,
    arn,
)
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front

_CRASH = re.compile(
    r"^\s*select\s+aurora_inject_crash\s*\(\s*'(instance|dispatcher|node)'\s*\)\s*;?\s*$", re.IGNORECASE
)


class Aurora(Protocol):
    """What this plane asks of the double of Aurora."""

    def describe(self) -> ClusterState:
        """Return the cluster as its controller last saw it."""

    async def crash(self, instance: str) -> None:
        """Kill an instance without warning."""

    async def execute(self, sql: str) -> list[dict[str, Any]]:
        """Run one statement on the writer as the application's user; return its rows."""


class RdsData:
    """Runs statements on the ledger's writer."""

    def __init__(self, aurora: Aurora, bridge: Bridge) -> None:
        self._aurora = aurora
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for the Data API."""
        front.operation("rds-data", "ExecuteStatement")(self._execute_statement)

    def _execute_statement(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _require(params["resourceArn"], params["secretArn"])
        if _CRASH.match(params["sql"]):
            self._crash()
        if params.get("parameters") or params.get("transactionId"):
            raise AwsError("BadRequestException", "The local staging takes plain statements only.")
        rows = self._rows(params["sql"])
        return {
            "records": [[_field(value) for value in row.values()] for row in rows],
            "numberOfRecordsUpdated": 0,
        }

    def _crash(self) -> None:
        """Crash the writer; the answer dies with it, so the caller gets what a broken connection gives."""
        self._bridge.run(self._aurora.crash(self._aurora.describe().writer.id))
        raise AwsError("DatabaseErrorException", "FATAL: the connection to the instance was lost")

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        try:
            return self._bridge.run(self._aurora.execute(sql))
        except (AuroraError, OSError, TimeoutError) as error:
            raise AwsError("DatabaseErrorException", str(error) or "the writer does not answer") from error


def _require(resource: str, secret: str) -> None:
    if resource != arn("rds", f"cluster:{LEDGER}"):
        raise AwsError("BadRequestException", f"DB cluster {resource} is not found.")
    if not any(secret in (known.arn, known.name) for known in backend("secretsmanager").secrets.values()):
        raise AwsError("BadRequestException", f"Secret {secret} is not found.")


def _field(value: object) -> dict[str, Any]:
    """Return one value as the Data API writes it; text for whatever has no type there."""
    if value is None:
        return {"isNull": True}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        return {"longValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}
