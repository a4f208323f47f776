"""Every cluster as RDS knows it: moto's records, kept in step with each region's fleet."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from staging.local.aurora.state import AuroraError, FailoverRefusedError
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import REGIONS
from staging.local.control_plane.protocol import AwsError
from staging.local.control_plane.rds.events import announce

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from staging.local.aurora.state import ClusterState, Member, SourceType
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.fleet import Fleet
    from staging.local.control_plane.rds.events import EventLog

# RDS has no word for an instance that nobody reaches; it restarts such a one.
_STATUS = {"unreachable": "rebooting"}


class Databases:
    """Moto's records of clusters and instances, plus `doing`: what is being done to one of them."""

    def __init__(self, fleets: Mapping[str, Fleet], events: EventLog, bridge: Bridge) -> None:
        self._fleets = fleets
        self.events = events
        self._bridge = bridge
        self._turns: WeakKeyDictionary[Any, asyncio.Lock] = WeakKeyDictionary()

    def turn(self, cluster: Any) -> asyncio.Lock:
        """Return the lock that changes of one cluster take in turn, whatever its name is by then."""
        return self._turns.setdefault(cluster, asyncio.Lock())

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start it in the loop; the caller gets its answer now."""
        self._bridge.begin(work, lambda: True)

    def begin_and_see(self, work: Coroutine[Any, Any, Any], under_way: Callable[[], bool]) -> None:
        """Start it in the loop and wait until it can be seen; what it refuses until then is the answer."""
        try:
            self._bridge.begin(work, under_way)
        except FailoverRefusedError as error:
            raise AwsError("InvalidDBClusterStateFault", f"{error}.") from error
        except AuroraError as error:
            raise AwsError("InvalidDBInstanceState", f"{error}.") from error

    def announce(self, source: str, kind: SourceType, message: str, category: str) -> None:
        """Note an event."""
        announce(self.events, source, kind, message, category)

    # What there is.

    def fleet(self, region: str) -> Fleet:
        """Return the servers of a region."""
        return self._fleets[region]

    def fleet_of(self, cluster: Any) -> Fleet:
        """Return the servers among which those of this cluster are, or will be."""
        return self._fleets[cluster.region]

    def cluster(self, region: str, name: str) -> Any:
        """Return moto's record of a cluster by name or ARN, up to date."""
        self.reflect()
        found = backend("rds", region).clusters.get(_last(name, "cluster"))
        if found is None:
            raise AwsError("DBClusterNotFoundFault", f"DBCluster {name} not found.", HTTPStatus.NOT_FOUND)
        return found

    def instance(self, region: str, name: str) -> Any:
        """Return moto's record of an instance by name, up to date."""
        self.reflect()
        found = backend("rds", region).databases.get(_last(name, "db"))
        if found is None:
            raise AwsError("DBInstanceNotFound", f"DBInstance {name} not found.", HTTPStatus.NOT_FOUND)
        return found

    def require_free(self, region: str, name: str) -> None:
        """Raise unless a new cluster may bear this name; each region has names of its own."""
        if name in backend("rds", region).clusters or name in self._fleets[region].describe():
            raise AwsError("DBClusterAlreadyExistsFault", f"DB cluster {name} already exists.")

    def require_free_instance(self, region: str, name: str) -> None:
        """Raise unless a new instance may bear this name."""
        if name in backend("rds", region).databases:
            raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")

    def members(self, cluster: Any) -> list[Any]:
        """Return moto's records of a cluster's instances."""
        name = cluster.db_cluster_identifier
        return [
            found for found in list(cluster.backend.databases.values()) if found.db_cluster_identifier == name
        ]

    # In step.

    def reflect(self) -> None:
        """Write what the fleets say into moto's records."""
        for region in REGIONS:
            seen = self._fleets[region].describe()
            for cluster in list(backend("rds", region).clusters.values()):
                self._reflect(cluster, seen.get(cluster.db_cluster_identifier))

    def _reflect(self, cluster: Any, state: ClusterState | None) -> None:
        cluster.status = _doing(cluster) or (state.status if state else "failed")
        if state and state.resource:
            cluster.db_cluster_resource_id = state.resource
        window = self.fleet_of(cluster).restorable(cluster.db_cluster_identifier) if state else None
        cluster.earliest_restorable_time, cluster.restorable_until = window or (None, None)
        seen = {member.id: member for member in state.members} if state else {}
        for instance in self.members(cluster):
            _reflect_member(instance, seen.get(instance.db_instance_identifier))


def _reflect_member(instance: Any, member: Member | None) -> None:
    status = _STATUS.get(member.status, member.status) if member else "failed"
    instance.status = _doing(instance) or status
    instance.is_cluster_writer = member is not None and member.role == "writer"


def _doing(record: Any) -> str:
    return str(getattr(record, "doing", ""))


def _last(name: str, kind: str) -> str:
    """Return the name in an ARN of this kind, and any other name as it is."""
    head, found, last = name.rpartition(f":{kind}:")
    return last if found and head.startswith("arn:") else name
