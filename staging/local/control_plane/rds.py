"""The RDS API over the double of Aurora: it says what Aurora says, and Aurora does what it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from staging.local.aurora.state import AuroraError, AuroraEvent, ClusterState, FailoverRefusedError
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import (
    LEDGER,
    arn,
)
from staging.local.control_plane.protocol import AwsError, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call

# RDS has no word for an instance that nobody reaches; it restarts such a one.
_STATUS = {"unreachable": "rebooting"}
# moto would only note these down; nothing would happen to the servers.
_BOOKKEEPING_ONLY = (
    "StopDBCluster", "StartDBCluster", "DeleteDBCluster",
    "StopDBInstance", "StartDBInstance", "DeleteDBInstance",
)  # fmt: skip


class Aurora(Protocol):
    """What this plane asks of the double of Aurora."""

    def describe(self) -> ClusterState:
        """Return the cluster as its controller last saw it."""

    async def failover(self, target: str | None = None) -> None:
        """Promote a reader; return when it is the writer."""

    async def reboot(self, instance: str) -> None:
        """Restart one instance; return when it answers again."""


class Rds:
    """Reflects Aurora into moto's state whenever somebody looks, and carries out what is asked."""

    def __init__(self, aurora: Aurora, events: Collection[AuroraEvent], bridge: Bridge) -> None:
        self._aurora = aurora
        self._bridge = bridge
        self._events = events

    def register(self, front: Front) -> None:
        """Answer for RDS."""
        front.before("rds", "DescribeDBClusters", "DescribeDBInstances")(self._before)
        front.before("rds", *_BOOKKEEPING_ONLY)(refuse)
        front.operation("rds", "FailoverDBCluster")(self._failover)
        front.operation("rds", "RebootDBInstance")(self._reboot)
        front.operation("rds", "DescribeEvents")(self._describe_events)

    def _before(self, _: Call) -> None:
        self.reflect()

    def reflect(self) -> None:
        """Write what Aurora says into moto's state."""
        state, rds = self._aurora.describe(), backend("rds")
        rds.clusters[LEDGER].status = state.status
        for member in state.members:
            instance = rds.databases[member.id]
            instance.status = _STATUS.get(member.status, member.status)
            instance.is_cluster_writer = member.role == "writer"

    def _failover(self, params: Mapping[str, Any]) -> dict[str, Any]:
        _require_cluster(params["DBClusterIdentifier"])
        target = params.get("TargetDBInstanceIdentifier")
        if target is not None:
            _require_instance(target)
        self._begin(self._aurora.failover(target), lambda: self._aurora.describe().status == "failing-over")
        self.reflect()
        return {"DBCluster": backend("rds").clusters[LEDGER]}

    def _reboot(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["DBInstanceIdentifier"]
        _require_instance(name)
        if params.get("ForceFailover"):
            message = "ForceFailover cannot be specified for an instance of an Aurora cluster."
            raise AwsError("InvalidParameterCombination", message)
        self._begin(self._aurora.reboot(name), lambda: self._status_of(name) != "available")
        self.reflect()
        return {"DBInstance": backend("rds").databases[name]}

    def _status_of(self, name: str) -> str:
        return next(member.status for member in self._aurora.describe().members if member.id == name)

    def _begin(self, work: Any, under_way: Callable[[], bool]) -> None:
        try:
            self._bridge.begin(work, under_way)
        except FailoverRefusedError as error:
            raise AwsError("InvalidDBClusterStateFault", f"{error}.") from error
        except AuroraError as error:
            raise AwsError("InvalidDBInstanceState", f"{error}.") from error

    def _describe_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "Events": [_described(event) for event in select(list(self._events), params, datetime.now(UTC))]
        }


def select(events: Sequence[AuroraEvent], params: Mapping[str, Any], now: datetime) -> list[AuroraEvent]:
    """Return those events that a DescribeEvents call asks for; the last hour's without other wishes."""
    end = _aware(params.get("EndTime")) or now
    start = _aware(params.get("StartTime")) or end - timedelta(minutes=int(params.get("Duration", 60)))
    source, kind = params.get("SourceIdentifier"), params.get("SourceType")
    categories = set(params.get("EventCategories", ()))
    return [
        event
        for event in events
        if start <= event.at <= end
        and (source in (None, event.source_id))
        and (kind in (None, event.source_type))
        and (not categories or event.category in categories)
    ]


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _described(event: AuroraEvent) -> dict[str, Any]:
    kind = "cluster" if event.source_type == "db-cluster" else "db"
    return {
        "SourceIdentifier": event.source_id,
        "SourceType": event.source_type,
        "Message": event.message,
        "EventCategories": [event.category] if event.category else [],
        "Date": event.at,
        "SourceArn": arn("rds", f"{kind}:{event.source_id}"),
    }


def _require_cluster(name: str) -> None:
    if name not in (LEDGER, arn("rds", f"cluster:{LEDGER}")):
        raise AwsError("DBClusterNotFoundFault", f"DBCluster {name} not found.", HTTPStatus.NOT_FOUND)


def _require_instance(name: str) -> None:
    instance = backend("rds").databases.get(name)
    if instance is None or instance.db_cluster_identifier != LEDGER:
        message = f"DBInstance {name} not found in DBCluster {LEDGER}."
        raise AwsError("DBInstanceNotFound", message, HTTPStatus.NOT_FOUND)
