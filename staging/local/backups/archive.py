"""The archive of one cluster: base backups, write-ahead log, and marks that tell how far it reaches."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from staging.local.backups.points import SEGMENT_BYTES, RestoreFailedError, segment, segment_name, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from staging.local.backups.base import Base

_NAME_LENGTH = 24
BASES_KEPT = 3
MARKS_KEPT = 2000


@dataclass(frozen=True)
class Mark:
    """A position in the log and the instant that it stands for: every commit up to then lies before it."""

    at: datetime
    until: datetime  # nothing was written between `at` and here
    lsn: int
    segment: str  # the file that holds the last byte before it
    xid: str | None  # of the mark's own commit; None: the position is the end of an orderly shutdown


@dataclass(frozen=True)
class Route:
    """How to get to an instant: from which base, and where the replay has to stop."""

    base: Base
    target: dict[str, str]  # PostgreSQL's recovery target
    end: int  # the log is needed up to here


class Archive:
    """Kept in memory but for the files themselves: it ends with the staging."""

    def __init__(self, directory: Path, cluster: str) -> None:
        self.directory = directory
        self.cluster = cluster
        self.wal = directory / "wal"
        self.bases: list[Base] = []
        self.marks: list[Mark] = []
        self._readers = 0
        self._seen: tuple[int, dict[str, str]] = (0, {})
        self._end: Mark | None = None

    @property
    def restorable(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest instant that can be restored."""
        if not self.bases:
            return None
        earliest, newest = self.bases[0].taken_at, self.newest()
        return earliest, max(earliest, newest.until) if newest else earliest

    def newest(self) -> Mark | None:
        """Return the newest mark up to which the log has arrived."""
        timelines = self._timelines()
        return next((mark for mark in reversed(self.marks) if _holds(timelines, mark)), None)

    def note(self, mark: Mark) -> None:
        """Add a mark, or the same one again with more time since."""
        if self.marks and self.marks[-1].lsn == mark.lsn:
            self.marks.pop()
        self.marks.append(mark)
        del self.marks[:-MARKS_KEPT]

    def arrived(self, mark: Mark) -> bool:
        """Tell whether the log up to this mark is in the archive."""
        return _holds(self._timelines(), mark)

    def route(self, at: datetime | None) -> Route:
        """Return how to get to an instant, or to the latest there is; refuse what cannot be reached."""
        reach = self.restorable
        if reach is None:
            raise RestoreFailedError(f"{self.cluster} has no base backup yet to begin from")
        earliest, latest = reach
        if at is not None and not earliest <= at <= latest:
            raise RestoreFailedError(
                f"{at.isoformat()} is outside of what the archive of {self.cluster} holds,"
                f" {earliest.isoformat()} to {latest.isoformat()}"
            )
        route = self._to_latest() if at is None else self._to(at)
        self._require(route)
        return route

    def conclude(self, mark: Mark) -> None:
        """Note the end of the log, for as long as the cluster has no instance."""
        self.note(mark)
        self._end = mark

    def reopen(self) -> None:
        """Take the end back: the log goes on, and its last piece with it."""
        if self._end is not None:
            self.marks.remove(self._end)
            (self.wal / self._end.segment).unlink()
            self._end = None

    def trim(self) -> None:
        """Drop the oldest bases, and the log that only they need."""
        if self._readers or len(self.bases) <= BASES_KEPT:
            return
        for base in self.bases[:-BASES_KEPT]:
            shutil.rmtree(base.path)
        del self.bases[:-BASES_KEPT]
        oldest = segment(self.bases[0].start)
        for file in self.wal.iterdir():
            if _is_segment(file.name) and file.name[8:_NAME_LENGTH] < oldest:
                file.unlink()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep everything for as long as somebody restores from it."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1

    def _to_latest(self) -> Route:
        mark, base = self.newest(), self.bases[-1]
        if mark is None or mark.lsn <= base.end:
            return Route(base, {"recovery_target": "immediate"}, base.end)
        return Route(base, _to_mark(mark), mark.lsn)

    def _to(self, at: datetime) -> Route:
        base = [base for base in self.bases if base.taken_at <= at][-1]
        after = next((mark for mark in self.marks if mark.lsn > base.end and mark.until >= at), None)
        if after is None:
            return Route(base, {"recovery_target": "immediate"}, base.end)
        if after.at <= at:
            return Route(base, _to_mark(after), after.lsn)
        return Route(base, {"recovery_target_time": at.isoformat()}, after.lsn)

    def _require(self, route: Route) -> None:
        """Refuse when a piece of the log is not there: PostgreSQL would take the hole for the end."""
        present = self._timelines()
        first, last = route.base.start // SEGMENT_BYTES, (route.end - 1) // SEGMENT_BYTES
        for number in range(first, last + 1):
            if segment(number * SEGMENT_BYTES) not in present and route.end > route.base.end:
                raise RestoreFailedError(
                    f"the archive of {self.cluster} lacks the WAL segment"
                    f" {segment_name(route.base.timeline, number * SEGMENT_BYTES)}"
                    f" at {written(number * SEGMENT_BYTES)}"
                )

    def _timelines(self) -> dict[str, str]:
        """Return each segment that is there, with the newest timeline that has it."""
        changed_ns = self.wal.stat().st_mtime_ns  # whoever describes clusters asks often
        if self._seen[0] != changed_ns:
            names = sorted(file.name for file in self.wal.iterdir() if _is_segment(file.name))
            self._seen = changed_ns, {name[8:]: name[:8] for name in names}
        return self._seen[1]


def _to_mark(mark: Mark) -> dict[str, str]:
    if mark.xid is not None:
        return {"recovery_target_xid": mark.xid}
    return {"recovery_target_lsn": written(mark.lsn)}


def _holds(timelines: dict[str, str], mark: Mark) -> bool:
    # after a failover the log goes on in a file of the next timeline, which holds the older one's part, too
    return timelines.get(mark.segment[8:], "") >= mark.segment[:8]


def _is_segment(name: str) -> bool:
    return len(name) == _NAME_LENGTH
