"""Many who want the same thing at the same time share one call for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """At most one call under way for each key."""

    def __init__(self) -> None:
        self._flights: dict[Key, asyncio.Task[Value]] = {}

    async def join(self, key: Key, start: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Await the call under way for `key`, or `start` one; who gives up does not end it for the others."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(start())
            flight.add_done_callback(partial(self._landed, key))
        return await asyncio.shield(flight)

    def _landed(self, key: Key, flight: asyncio.Task[Value]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at here too, for when nobody waits any more
