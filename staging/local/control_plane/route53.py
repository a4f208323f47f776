"""Where customers go: to the load balancer that their name leads to, or into the dark when that is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import RECORD, ZONE

if TYPE_CHECKING:
    from staging.local.balancer_config import Way
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.nacl import Darkness
    from staging.local.control_plane.platform import Platform
    from staging.local.control_plane.protocol import Call


class Door(Protocol):
    """Where customers come in."""

    async def lead_customers(self, way: Way) -> None:
        """Lead every request from now on there."""


class Route53:
    """Customers follow a changed record after `ttl_s`: as long as their resolvers remember the old one."""

    def __init__(
        self, door: Door, darkness: Darkness, standby: Platform, bridge: Bridge, *, ttl_s: float
    ) -> None:
        self._door = door
        self._darkness = darkness
        self._standby = standby
        self._bridge = bridge
        self._ttl_s = ttl_s
        self._away = False  # customers are led to the other region
        self._turn = asyncio.Lock()
        darkness.on_change(self._now)

    def register(self, front: Front) -> None:
        """Answer for Route 53: moto keeps the records."""
        front.routed("route53")
        front.after("route53", "ChangeResourceRecordSets")(self._changed)

    def _changed(self, _: Call) -> None:
        self._bridge.begin(self._follow(), lambda: True)

    def _now(self) -> None:
        self._bridge.run(self._lead())

    async def _follow(self) -> None:
        await asyncio.sleep(self._ttl_s)
        self._away = self._leads_away()
        await self._lead()

    async def _lead(self) -> None:
        async with self._turn:
            way: Way = "standby" if self._away else "dark" if self._darkness.closed else "home"
            await self._door.lead_customers(way)

    def _leads_away(self) -> bool:
        balancer = backend("elbv2", self._standby.region).load_balancers[self._standby.load_balancer]
        zones = backend("route53").zones.values()
        records = [record for zone in zones if zone.name == ZONE for record in zone.rrsets]
        targets = [record.alias_target for record in records if (record.name, record.type) == (RECORD, "A")]
        return any(target and target["DNSName"].rstrip(".") == balancer.dns_name for target in targets)
