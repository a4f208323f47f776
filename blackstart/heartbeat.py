"""A drill's sign of life: a file that changes twice a second while the main thread keeps its promises.

A process that was stopped or frozen changes nothing any more; neither does one whose main thread hangs, for
it did not come back by the time it had promised.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EVERY_S = 0.5
PROMPT_S = 60.0  # in which a main thread that is not busy with anything long comes back


class Heartbeat:
    """Beats in a thread of its own, from `start` until `stop`, which removes the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._until = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self.promise()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        self._thread.start()

    def promise(self, within_s: float = PROMPT_S) -> None:
        """Say that the main thread will be back here within so many seconds."""
        self._until = time.monotonic() + within_s

    def stop(self) -> None:
        """End; idempotent."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._path.unlink(missing_ok=True)

    def _beat(self) -> None:
        beats = 0
        file = os.open(self._path, os.O_WRONLY)
        try:
            while not self._ended.wait(EVERY_S):
                if time.monotonic() < self._until:
                    beats += 1
                    os.pwrite(file, f"{beats:020d}".encode(), 0)
        finally:
            os.close(file)


def read(path: Path) -> bytes:
    """Return what the file holds now; nothing when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
