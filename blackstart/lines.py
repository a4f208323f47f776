"""Cuts files of JSON lines into parts and blocks of whole lines, to be read piece by piece, or at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

BLOCK_BYTES: Final = 2 << 20
PART_BYTES: Final = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Part:
    """Whole lines of a file, from one byte to another."""

    path: Path
    since: int
    until: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines of a file: the first `until` bytes of `data`, which the next block overwrites."""

    data: bytearray
    until: int

    @property
    def bytes(self) -> npt.NDArray[np.uint8]:
        """Return the same memory as numbers."""
        return np.frombuffer(self.data, np.uint8, self.until)

    def line(self, begin: int, end: int) -> Any:
        """Return what stands between two places, through the JSON parser."""
        return orjson.loads(memoryview(self.data)[begin:end])


def parts_of(paths: Iterable[Path]) -> list[Part]:
    """Cut files into parts that can be read at the same time."""
    parts = []
    for path in paths:
        size, since = path.stat().st_size, 0
        with path.open("rb") as file:
            while since < size:
                file.seek(min(size, since + PART_BYTES))
                file.readline()  # to the end of the line that the cut fell into
                parts.append(Part(path=path, since=since, until=file.tell()))
                since = file.tell()
    return parts


def blocks(part: Part) -> Iterator[Block]:
    """Yield the whole lines of a part; a torn last line was never acknowledged to anyone.

    Raises ValueError for a line longer than a block.
    """
    data, kept, left = bytearray(BLOCK_BYTES), 0, part.until - part.since
    with part.path.open("rb", buffering=0) as file:
        file.seek(part.since)
        while came := file.readinto(memoryview(data)[kept : min(BLOCK_BYTES, kept + left)]):
            left -= came
            until = data.rfind(b"\n", 0, kept + came) + 1
            if until:
                yield Block(data=data, until=until)
            rest = data[until : kept + came]
            kept = len(rest)
            data[:kept] = rest
            if kept == BLOCK_BYTES:
                raise ValueError(f"{part.path.name} holds a line of more than {BLOCK_BYTES} bytes")


def at_once(do: Callable[[Part], T], parts: list[Part]) -> list[T]:
    """Do something to all parts, on all processors: compiled code lets go of the interpreter."""
    if len(parts) < 2:  # noqa: PLR2004 - nothing to do at the same time
        return [do(part) for part in parts]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(do, parts))
