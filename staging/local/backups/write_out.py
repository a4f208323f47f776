"""Bring what was written to the disk at an even pace.

The kernel writes what nobody asked it to write half a minute later, all at once: a backup of 70 MB would then
stand in the way of the commits of customers, who know nothing of it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from staging.local.backups.points import Progress

if TYPE_CHECKING:
    from staging.local.backups.points import OnProgress

BYTES_PER_S = 32 << 20
_AT_ONCE_BYTES = 1 << 20


async def write_out(directory: Path, on_progress: OnProgress) -> None:
    """Let the disk have every file in a directory, a megabyte at a time."""
    files = await asyncio.to_thread(_files, directory)
    due, begun, total = 0, 0, sum(size for _, size in files)
    for path, _ in files:
        due += await asyncio.to_thread(begin_writing, path)
        if due >= _AT_ONCE_BYTES:
            await asyncio.sleep(due / BYTES_PER_S)
            begun, due = begun + due, 0
            on_progress(Progress("write out", min(begun, total), total))
    on_progress(Progress("write out", total, total))


def begin_writing(path: Path) -> int:
    """Begin to write one file, without waiting for it; return how many bytes it has."""
    file = os.open(path, os.O_RDONLY)
    try:
        # Linux begins to write whatever is dirty in the range, and does not wait (mm/fadvise.c)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _files(directory: Path) -> list[tuple[Path, int]]:
    paths = (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)
    return [(path, path.stat().st_size) for path in paths]
