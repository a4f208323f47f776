"""The RDS Data API: SQL over HTTPS, and with it Aurora's own fault injection queries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from staging.local.aurora.state import AuroraError
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import OWNER_SECRET, SECRET
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.fleet import Cluster, Fleet, Role
    from staging.local.control_plane.front import Front

_CRASH = re.compile(
    r"^\s*select\s+aurora_inject_crash\s*\(\s*'(instance|dispatcher|node)'\s*\)\s*;?\s*$", re.IGNORECASE
)
_ROLES: Mapping[str, Role] = {SECRET: "app", OWNER_SECRET: "owner"}
_WITHIN_S = 45.0  # as AWS: a statement that takes longer is ended


class RdsData:
    """Runs statements on the writer of a cluster; the secret says as whom."""

    def __init__(self, fleets: Mapping[str, Fleet], bridge: Bridge) -> None:
        self._fleets = fleets
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for the Data API."""
        front.regional("rds-data", "ExecuteStatement")(self._execute_statement)

    def _execute_statement(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        role = _role(region, params["secretArn"])
        cluster = self._cluster(region, params["resourceArn"])
        if _CRASH.match(params["sql"]):
            self._crash(cluster)
        if params.get("parameters") or params.get("transactionId"):
            raise AwsError("BadRequestException", "The local staging takes plain statements only.")
        rows = self._rows(cluster, params["sql"], role)
        return {
            "records": [[_field(value) for value in row.values()] for row in rows],
            "numberOfRecordsUpdated": 0,
        }

    def _cluster(self, region: str, resource: str) -> Cluster:
        known = backend("rds", region).clusters.values()
        record = next((one for one in known if one.db_cluster_arn == resource), None)
        if record is None:
            raise AwsError("BadRequestException", f"DB cluster {resource} is not found.")
        name = record.db_cluster_identifier
        if not record.http_endpoint_enabled:
            raise AwsError("HttpEndpointNotEnabledException", f"DB cluster {name} has no HTTP endpoint.")
        try:
            cluster = self._fleets[region].cluster(name)
        except AuroraError as error:
            raise AwsError("DatabaseUnavailableException", f"{error}.", 504) from error
        if not cluster.describe().members:
            message = f"DB cluster {name} has no writer instance."
            raise AwsError("DatabaseUnavailableException", message, 504)
        return cluster

    def _crash(self, cluster: Cluster) -> None:
        """Crash the writer; the answer dies with it, so the caller gets what a broken connection gives."""
        self._bridge.run(cluster.crash(cluster.describe().writer.id))
        raise AwsError("DatabaseErrorException", "FATAL: the connection to the instance was lost")

    def _rows(self, cluster: Cluster, sql: str, role: Role) -> list[dict[str, Any]]:
        try:
            return self._bridge.run(cluster.execute(sql, role), within_s=_WITHIN_S)
        except (AuroraError, OSError, TimeoutError) as error:
            raise AwsError("DatabaseErrorException", str(error) or "the writer does not answer") from error


def _role(region: str, secret: str) -> Role:
    """Return as whom a secret lets one in."""
    for known in backend("secretsmanager", region).secrets.values():
        if secret in (known.arn, known.name) and known.name in _ROLES:
            return _ROLES[known.name]
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
