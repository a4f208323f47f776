"""Keep the cluster's endpoints pointed at the servers they should lead to."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from staging.local.aurora.state import READER_ENDPOINT, WRITER_ENDPOINT, Endpoints

if TYPE_CHECKING:
    from staging.local.aurora.instance import Instance

log = logging.getLogger("staging.local.aurora")

POINT_S = 3.0


class Signposts:
    """What the endpoints were last pointed at, so that only changes cost anything."""

    def __init__(self, endpoints: Endpoints, *, stuck: bool = False) -> None:
        self._endpoints = endpoints
        self._stuck = stuck  # the planted defect: the writer's endpoint stays where it is
        self._pointed: dict[str, tuple[str, int]] = {}

    async def follow(self, writer: Instance, reader: Instance | None) -> None:
        """Point writes at the writer, and reads at the reader if it is home."""
        await self._point(WRITER_ENDPOINT, writer)
        await self._point(READER_ENDPOINT, reader if reader is not None and reader.home else writer)

    async def remove(self) -> None:
        """Let nobody through any more."""
        for name in list(self._pointed):
            del self._pointed[name]
            async with asyncio.timeout(POINT_S):
                await self._endpoints.unpoint(name)

    async def _point(self, name: str, instance: Instance) -> None:
        where = instance.site.network.route("public", instance.address)
        if self._pointed.get(name) == where or (self._stuck and name in self._pointed):
            return
        self._pointed.pop(name, None)  # should it fail halfway, the next look tries again
        async with asyncio.timeout(POINT_S):
            await self._endpoints.point(name, *where)
        self._pointed[name] = where
        log.info("endpoint.point name=%s instance=%s", name, instance.id)
