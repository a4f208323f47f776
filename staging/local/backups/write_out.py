"""Bring what was written to the disk at an even pace.

The kernel writes what nobody asked it to write half a minute later, all at once: a backup of 70 MB would then
stand in the way of the commits of customers, who know nothing of it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

BYTES_PER_S = 32 << 20
_AT_ONCE_BYTES = 1 << 20


async def write_out(directory: Path) -> None:
    """Let the disk have every file in a directory, a megabyte at a time."""
    due = 0
    for path in await asyncio.to_thread(_files, directory):
        due += await asyncio.to_thread(begin_writing, path)
        if due >= _AT_ONCE_BYTES:
            await asyncio.sleep(due / BYTES_PER_S)
            due = 0


def begin_writing(path: Path) -> int:
    """Begin to write one file, without waiting for it; return how many bytes it has."""
    file = os.open(path, os.O_RDONLY)
    try:
        # Linux begins to write whatever is dirty in the range, and does not wait (mm/fadvise.c)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _files(directory: Path) -> list[Path]:
    return [Path(folder) / name for folder, _, names in os.walk(directory) for name in names]
