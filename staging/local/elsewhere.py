"""The endpoints of the other region, which bear the same names there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from staging.local.aurora.state import Endpoints

PREFIX = "west-"  # the load balancer knows them all


class EndpointsElsewhere:
    """Implements `aurora.state.Endpoints`."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    async def point(self, name: str, host: str, port: int) -> None:
        """Send everybody there who asks for `name` to this server, and nowhere else."""
        await self._endpoints.point(f"{PREFIX}{name}", host, port)

    async def unpoint(self, name: str) -> None:
        """Let nobody there through under `name`."""
        await self._endpoints.unpoint(f"{PREFIX}{name}")
