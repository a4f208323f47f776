"""Copy a backup to where a server will work on it, and say how far the copy has come."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from staging.local import binaries
from staging.local.backups.points import OnProgress, Progress, RestoreFailedError

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 8 << 20
LOOK_S = 0.1


async def copy(source: Path, target: Path, on_progress: OnProgress) -> None:
    """Copy a directory, for the user that PostgreSQL runs as."""
    if not await asyncio.to_thread(source.is_dir):
        raise RestoreFailedError(f"there is no backup in {source}")
    work = _Copy(source, target)
    total = await asyncio.to_thread(work.total_bytes)
    copying = asyncio.create_task(asyncio.to_thread(work.run))
    try:
        while not copying.done():
            await asyncio.wait({copying}, timeout=LOOK_S)
            on_progress(Progress("copy", work.done_bytes, total))
    finally:
        work.given_up.set()
        await asyncio.wait({copying})  # whoever cleans up after us must come last
    copying.result()


class _Copy:
    """One copy, made in a thread of its own."""

    def __init__(self, source: Path, target: Path) -> None:
        self._source = source
        self._target = target
        self.done_bytes = 0
        self.given_up = threading.Event()

    def total_bytes(self) -> int:
        return sum(path.stat().st_size for path in self._source.rglob("*") if path.is_file())

    def run(self) -> None:
        self._directory(self._target)
        for path in sorted(self._source.rglob("*")):
            place = self._target / path.relative_to(self._source)
            if path.is_dir():
                self._directory(place)
            else:
                self._file(path, place)
            if self.given_up.is_set():
                return

    def _directory(self, place: Path) -> None:
        place.mkdir(mode=0o700)
        binaries.own(place)

    def _file(self, path: Path, place: Path) -> None:
        place.touch(mode=0o600)
        binaries.own(place)
        with path.open("rb") as source, place.open("wb") as target:
            while not self.given_up.is_set():
                count = os.sendfile(target.fileno(), source.fileno(), None, CHUNK_BYTES)
                if count == 0:
                    return
                self.done_bytes += count
