"""Wait for conditions, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from staging.local.aurora.state import AuroraError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[bool]], what: str, *, within_s: float, every_s: float = 0.05
) -> None:
    """Return once the condition holds; say what was waited for when it does not in time."""
    deadline = time.monotonic() + within_s
    while not await condition():
        if time.monotonic() > deadline:
            raise AuroraError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(every_s)
