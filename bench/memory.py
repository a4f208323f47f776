"""How much memory processes have: the sum of their proportional set sizes, so shared pages count once."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_EVERY_S = 0.25


@contextmanager
def peak_mb(found: dict[str, Any], pids: Callable[[], set[int]]) -> Iterator[None]:
    """Put the most memory that these processes had at once, and had at first, into `found`."""
    over, seen = threading.Event(), [memory_mb(pids())]

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            seen.append(memory_mb(pids()))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        found["memory at first, MB"], found["memory at most, MB"] = seen[0], max(seen)


def family(pid: int) -> set[int]:
    """Return a process and everything below it."""
    return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}


def memory_mb(pids: set[int]) -> float:
    """Return the sum of their proportional set sizes; who has ended meanwhile has none."""
    kilobytes = 0
    for pid in pids:
        with suppress(OSError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kilobytes += int(re.findall(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[0])
    return kilobytes / 1024


def called(process: psutil.Process) -> str:
    """Return what a process is called, "" when it has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""
