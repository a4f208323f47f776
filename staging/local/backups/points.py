"""What one can restore from, and how a long step says how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from staging.local.aurora.state import AuroraError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

SEGMENT_BYTES = 1 << 20
_SEGMENTS_PER_ID = (1 << 32) // SEGMENT_BYTES


class RestoreFailedError(AuroraError):
    """This backup, or this instant, cannot be restored; nothing was left of the attempt."""


@dataclass(frozen=True)
class Progress:
    """How far one step of a backup or a restore has come."""

    step: str  # "base backup", "write out", "copy", "verify" or "replay"
    done_bytes: int
    total_bytes: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A base backup with all that it needs: a directory with a manifest of checksums."""

    path: Path
    cluster: str
    taken_at: datetime  # UTC: every commit up to here is in it
    size_bytes: int
    lsn: str  # where it becomes consistent


@dataclass(frozen=True, kw_only=True)
class PointInTime:
    """An instant of a cluster, named by its identifier or its resource id."""

    cluster: str
    at: datetime | None  # None: the latest there is


def position(lsn: str) -> int:
    """Return an LSN as PostgreSQL writes it as bytes of write-ahead log."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def written(lsn: int) -> str:
    """Return a position as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def segment(lsn: int) -> str:
    """Return the file that holds the byte at this position, on whichever timeline."""
    high, low = divmod(lsn // SEGMENT_BYTES, _SEGMENTS_PER_ID)
    return f"{high:08X}{low:08X}"


def segment_name(timeline: int, lsn: int) -> str:
    """Return the file that holds the byte at this position on one timeline."""
    return f"{timeline:08X}{segment(lsn)}"
