"""The ElastiCache API over the real cache: roles as they are, and a failover that happens."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import CACHE, zone_of
from staging.local.control_plane.protocol import AwsError, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.cache import Cache
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call

_NODE_GROUP = "0001"
# moto would note these down, and the nodes would not know.
_BOOKKEEPING_ONLY = ("DeleteReplicationGroup", "ModifyReplicationGroup")


class ElastiCache:
    """Reflects the cache into moto's state whenever somebody looks, and fails it over."""

    def __init__(self, cache: Cache, bridge: Bridge) -> None:
        self._cache = cache
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for ElastiCache."""
        front.before("elasticache", "DescribeReplicationGroups")(self._before)
        front.before("elasticache", *_BOOKKEEPING_ONLY)(refuse)
        front.operation("elasticache", "TestFailover")(self._test_failover)

    def _before(self, _: Call) -> None:
        self.reflect()

    def reflect(self) -> None:
        """Write who is primary into moto's state."""
        state, group = self._cache.describe(), backend("elasticache").replication_groups[CACHE]
        roles = {node.name: node for node in state.nodes}
        for member in group.node_groups[0]["node_group_members"]:
            node = roles[member["cache_cluster_id"]]
            member["current_role"] = node.role
            member["preferred_availability_zone"] = zone_of(node.subnet)
        available = all(node.status == "available" for node in state.nodes)
        group.status = group.node_groups[0]["status"] = "available" if available else "modifying"

    def _test_failover(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["ReplicationGroupId"] != CACHE:
            message = f"Replication group {params['ReplicationGroupId']} not found."
            raise AwsError("ReplicationGroupNotFoundFault", message, HTTPStatus.NOT_FOUND)
        if params["NodeGroupId"] != _NODE_GROUP:
            message = f"Node group {params['NodeGroupId']} not found."
            raise AwsError("NodeGroupNotFoundFault", message, HTTPStatus.NOT_FOUND)
        state = self._cache.describe()
        replica = next(node for node in state.nodes if node.name != state.primary)
        if replica.status != "available":
            raise AwsError("InvalidReplicationGroupState", f"{replica.name} is {replica.status}.")
        self._bridge.begin(self._cache.failover(replica.name), lambda: False)
        self.reflect()
        return {"ReplicationGroup": backend("elasticache").replication_groups[CACHE]}
