"""A server that runs for a moment on data that no instance has: to replay them, or to copy them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from staging.local.aurora.instance import Instance
from staging.local.aurora.state import AuroraError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from staging.local.aurora.site import Site

SHUT_CLEAN_S = 30.0
PLACE = "workbench"


@asynccontextmanager
async def serving(site: Site, data: Path, settings: Mapping[str, str]) -> AsyncIterator[Instance]:
    """Start it on the data, which it takes away and brings back; end it in order, or kill it on a failure."""
    # one may serve while another works on a copy of what it served
    place = next(place for place in (PLACE, f"{PLACE}-2") if not (site.directory / place).exists())
    server = Instance(site, place, place, "public", "writer")
    server.prepare(data)
    server.configure(more=settings)
    try:
        server.start()
        yield server
        await server.shut(signal.SIGINT, within_s=SHUT_CLEAN_S)
        if server.process is None or server.process.returncode:
            raise AuroraError(f"the temporary server did not end in order, see {server.log}")
    finally:
        await server.fence()
        site.network.release(server.address)
        server.data.rename(data)
        await asyncio.to_thread(server.remove)
