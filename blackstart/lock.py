"""One drill, or one healing, per staging at a time; the kernel frees the lock when its holders are dead."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blackstart.choke import Refused
from blackstart.waiting import TooLate, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO


class Busy(Refused):
    """Somebody else drills or heals on this staging."""


@contextmanager
def only_one(folder: Path, *, within_s: float = 0.0) -> Iterator[int]:
    """Hold the staging's lock, and yield its file descriptor. Raises Busy when it is not free in time.

    A child that inherits the descriptor holds the lock too: it is free once nobody of the drill lives, so
    that nobody heals what a dying process may still break.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            wait_until(lambda: _taken(lock), within_s=within_s, what="the lock is free")
        except TooLate as late:
            raise Busy("another drill runs on this staging, or it is being healed") from late
        yield lock.fileno()


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
