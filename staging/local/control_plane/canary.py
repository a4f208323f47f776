"""A canary in the other region: a customer who asks again and again whether the bank is there.

Alarms of a region that is lost tell nobody anything; this one can still be heard.
"""

from __future__ import annotations

import asyncio
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_LOOKS_PER_PERIOD = 2  # so that no period is without one
_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: api.bank.example\r\nConnection: close\r\n\r\n"


class Canary:
    """Asks at the customers' own door, and tells `on_look` each time whether it was answered well."""

    def __init__(self, url: str, period_s: float, on_look: Callable[[bool], None]) -> None:
        where = urlsplit(url)
        self._where = where.hostname, where.port
        self._every_s = period_s / _LOOKS_PER_PERIOD
        self._on_look = on_look

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            began = time.monotonic()
            self._on_look(await self._look())
            await asyncio.sleep(max(0.0, began + self._every_s - time.monotonic()))

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(self._every_s):
                return await self._asked()
        except (TimeoutError, OSError, ValueError, IndexError) as error:
            log.info("the canary was not answered: %s", error or type(error).__name__)
            return False

    async def _asked(self) -> bool:
        reader, writer = await asyncio.open_connection(*self._where)
        try:
            writer.write(_REQUEST)
            line = await reader.readline()
        finally:
            writer.close()
        return int(line.split()[1]) == HTTPStatus.OK
