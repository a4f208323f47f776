"""Say again and again how far something long has come: whoever hears nothing takes it for hung."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY_S_MIN, EVERY_S_MAX = 2.0, 10.0
_TIMES = 20  # until the pauses grow: who waits for an hour need not hear of every second


@contextmanager
def telling(tell: Callable[[float], None]) -> Iterator[None]:
    """Call `tell` with the seconds since the beginning, every 2 s and later every 10 s, until the end.

    It is called in a thread of its own, so also while whoever works waits for an answer. What goes wrong
    there is raised at the end.
    """
    over = threading.Event()
    began = time.monotonic()

    def again() -> None:
        while not over.wait(pause_s(time.monotonic() - began)):
            tell(time.monotonic() - began)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="telling") as pool:
        told = pool.submit(again)
        try:
            yield
        finally:
            over.set()
        told.result()


def pause_s(elapsed_s: float) -> float:
    """Return how long people may hear nothing after so many seconds."""
    return min(EVERY_S_MAX, max(EVERY_S_MIN, elapsed_s / _TIMES))
