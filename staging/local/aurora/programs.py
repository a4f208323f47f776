"""Run one of PostgreSQL's programs to its end, as its own user and with a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from staging.local.aurora.state import AuroraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from staging.local.aurora.site import Site

POLL_S = 0.02
KILL_S = 5.0


async def run(
    site: Site,
    subnet: str,
    program: str,
    *arguments: str,
    cwd: Path,
    log: Path,
    within_s: float,
    meanwhile: Callable[[], None] | None = None,
    gentle: bool = False,
) -> int:
    """Run it inside the subnet; return its exit status. `meanwhile` is called again and again.

    `gentle` lets everybody else have the CPU first.
    """
    argv = [str(site.programs / program), *arguments]
    # times in UTC, wherever this machine is
    process = site.network.spawn(
        subnet, argv, env={"TZ": "UTC"}, cwd=cwd, log=log, unprivileged=True, gentle=gentle
    )
    deadline = time.monotonic() + within_s
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise AuroraError(f"{program}: not done within {within_s:g} s, see {log}")
            if meanwhile is not None:
                meanwhile()
            await asyncio.sleep(POLL_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(KILL_S)
    return process.returncode
