"""The platform's own Lambda functions, which events start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.platform import NAME, SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("staging.local.functions")

# what the service falls back to; the base is the same as ever
ON_DEMAND_ONLY = [{"capacityProvider": "FARGATE", "base": 2, "weight": 1}]


class OnDemandInstead:
    """Has the service's tasks placed on demand once there is no Spot capacity for them.

    A capacity provider strategy never falls back by itself: Spot's share of the tasks stays unplaced.
    Changing it starts no deployment, so what runs is left alone. Going back to Spot is people's decision.
    """

    def __init__(self, update_service: Callable[[Mapping[str, Any]], Any]) -> None:
        self._update_service = update_service

    def __call__(self, event: dict[str, Any]) -> None:
        """Answer a SERVICE_TASK_PLACEMENT_FAILURE."""
        log.warning("function.on-demand-instead reason=%s", event["detail"]["reason"])
        self._update_service({
            "cluster": NAME, "service": SERVICE, "capacityProviderStrategy": ON_DEMAND_ONLY,
        })  # fmt: skip
