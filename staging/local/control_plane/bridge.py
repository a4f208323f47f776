"""From the threads that answer API calls into the event loop where the data plane lives."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = logging.getLogger(__name__)

T = TypeVar("T")
_POLL_S = 0.005


class Bridge:
    """Made inside the loop, used from any other thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun: set[asyncio.Task[Any]] = set()

    def run(self, work: Coroutine[Any, Any, T], *, within_s: float = 10.0) -> T:
        """Do it in the loop and return what it returns; TimeoutError when it takes longer."""
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, within_s), self._loop).result()

    def begin(
        self, work: Coroutine[Any, Any, Any], under_way: Callable[[], bool], *, within_s: float = 10.0
    ) -> None:
        """Start it in the loop, return as soon as it is `under_way` or done; raise what it raised by then."""
        self.run(self._begin(work, under_way), within_s=within_s)

    async def _begin(self, work: Coroutine[Any, Any, Any], under_way: Callable[[], bool]) -> None:
        task = asyncio.create_task(work)
        self._begun.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._forget)
        while not task.done() and not under_way():
            await asyncio.wait({task}, timeout=_POLL_S)
        if task.done():
            task.result()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._begun.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("what an API call began has failed: %s", error)
