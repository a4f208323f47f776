"""Everything that happened in a drill, in order: requests, events, final reads.

On disk, in the drill's `history/` folder, all of it JSON lines that a killed writer leaves readable:

- `requests-<worker>.jsonl`: a header object, then one array per request in the order of `columns.COLUMNS`,
  then a footer object. In between, an object for what else was seen. A torn last line is cut off.
- `requests-<worker>.chain`: while these are written, about once a second, the SHA-256 of all bytes so far.
- `events.jsonl`: one object per event of the conductor: `{"at_ns", "utc", "kind", ...}`, each chained to the
  one before it (see `blackstart.chain`).
- `final.jsonl`, `receipts.jsonl`: what was read back after the drill (see `loadgen.final_reads` and
  `loadgen.receipts`).

All times are nanoseconds of the host's CLOCK_MONOTONIC; the headers pair it with UTC.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import orjson

from blackstart import chain, columns, request_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blackstart.settled import Unsettled
    from blackstart.table import Durations


class Outcome(StrEnum):
    """How a request ended; a write without an answer is *unknown*: it may have happened or not."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


PIECE = 1 << 18
OUTCOMES = tuple(Outcome)
ENDPOINTS = columns.ENDPOINTS


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One transfer that the load attempted."""

    key: str
    debit: int
    credit: int
    cents: int
    outcome: Outcome
    reason: str
    status: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The requests of a drill as columns, sorted by intended start; all arrays have the same length.

    `outcome` and `endpoint` are indices into OUTCOMES and ENDPOINTS.
    """

    intended_ns: npt.NDArray[np.int64]
    lag_ns: Durations  # how late the generator itself was
    took_ns: Durations  # from the real start to the end
    endpoint: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    dropped: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.intended_ns)

    @property
    def ok(self) -> npt.NDArray[np.bool_]:
        """Which requests were answered well."""
        return np.equal(self.outcome, OUTCOMES.index(Outcome.OK))

    @property
    def start_ns(self) -> npt.NDArray[np.int64]:
        """When each was really sent."""
        return self.intended_ns + self.lag_ns

    @property
    def end_ns(self) -> npt.NDArray[np.int64]:
        """When its outcome was known."""
        end_ns = self.start_ns
        end_ns += self.took_ns
        return end_ns

    @property
    def latency_ns(self) -> npt.NDArray[np.int64]:
        """From the intended start, so that a late generator cannot flatter the platform."""
        latency_ns = self.lag_ns.astype(np.int64)
        latency_ns += self.took_ns
        return latency_ns

    def pieces(self) -> Iterator[tuple[slice, Requests]]:
        """Yield all requests some at a time: what is computed of all at once takes much memory."""
        for first in range(0, len(self), PIECE):
            rows = slice(first, first + PIECE)
            yield rows, self.where(rows)

    def started(self, by_ns: int) -> npt.NDArray[np.bool_]:
        """Tell which had really been sent by then."""
        flags = np.empty(len(self), np.bool_)
        for rows, some in self.pieces():
            flags[rows] = some.start_ns <= by_ns
        return flags

    def ended(self, by_ns: int) -> npt.NDArray[np.bool_]:
        """Tell of which the outcome was known by then."""
        flags = np.empty(len(self), np.bool_)
        for rows, some in self.pieces():
            flags[rows] = some.end_ns <= by_ns
        return flags

    def where(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.unsignedinteger] | slice) -> Requests:
        """Return the requests that the mask selects; a slice of them takes no memory."""
        return Requests(**{name: getattr(self, name)[mask] for name in self.__dataclass_fields__})

    def between(self, from_ns: int, until_ns: int | None = None) -> Requests:
        """Return the requests that were meant to start from `from_ns` on and before `until_ns`."""
        first = int(np.searchsorted(self.intended_ns, from_ns))
        last = None if until_ns is None else int(np.searchsorted(self.intended_ns, until_ns))
        return self.where(slice(first, last))


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that the conductor did or saw."""

    at_ns: int
    utc: str
    kind: str
    detail: dict[str, Any]


class History:
    """A drill's history, read from its folder. Nothing is cached that the files do not say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settled = 0

    @cached_property
    def requests(self) -> Requests:
        """All requests of all workers."""
        return self._read[0]

    @cached_property
    def last_end_ns(self) -> int:
        """When the last outcome was known; 0 without requests."""
        return max((int(some.end_ns.max()) for _, some in self.requests.pieces()), default=0)

    @cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """Every transfer that the load attempted, in order of intended start."""
        rows = sorted((row for row in self._rows() if row[7]), key=lambda row: row[0])
        return tuple(_transfer(row) for row in rows)

    @cached_property
    def headers(self) -> tuple[dict[str, Any], ...]:
        """What each worker said of itself before its first request: rate, seed, clock pair."""
        return tuple(line for line in self._read[1] if line.get("kind") == "header")

    @cached_property
    def footers(self) -> tuple[dict[str, Any], ...]:
        """What each worker counted itself: scheduled, ok, failed, dropped. A killed one has none."""
        return tuple(line for line in self._read[1] if line.get("kind") == "footer")

    @cached_property
    def sightings(self) -> tuple[dict[str, Any], ...]:
        """What else the load saw: each older balance that a customer was shown (see `loadgen.shown`)."""
        return tuple(line for line in self._read[1] if line.get("kind") == "stale")

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The conductor's events in order of time."""
        path = self.folder / "events.jsonl"
        lines = _lines(path) if path.exists() else ()
        return tuple(sorted((_event(line) for line in lines), key=lambda event: event.at_ns))

    def event(self, kind: str, **detail: object) -> Event | None:
        """Return the first event of this kind whose detail holds all of `detail`, or None."""
        return next((e for e in self.events if e.kind == kind and detail.items() <= e.detail.items()), None)

    @cached_property
    def final_reads(self) -> tuple[dict[str, Any], ...]:
        """What was read back after the drill, one object per record (see `loadgen.final_reads`)."""
        path = self.folder / "final.jsonl"
        return tuple(_lines(path)) if path.exists() else ()

    @cached_property
    def receipts(self) -> tuple[dict[str, Any], ...]:
        """What was read back of the platform's receipts (see `loadgen.receipts`)."""
        path = self.folder / "receipts.jsonl"
        return tuple(_lines(path)) if path.exists() else ()

    @cached_property
    def unsettled(self) -> History:
        """The same history, without those transfers about which nothing is left to ask.

        They were sent once, acknowledged, and read back once just as they were ordered: `settled` counts
        them. In a good drill they are nearly all, and looking at each of a million takes its time.
        """
        left = self._read[2]()
        rest = History(self.folder)
        rest.settled = left.settled
        # what is cached is not read again
        rest._read, rest.events = self._read, self.events
        rest.transfers = tuple(_transfer(row) for row in sorted(left.rows, key=lambda row: (row[0], row[7])))
        rest.final_reads = tuple(left.records)
        return rest

    @cached_property
    def _read(self) -> tuple[Requests, list[dict[str, Any]], Callable[[], Unsettled]]:
        """Return the requests, what stands between them, how to ask what is not settled, from one reading."""
        table, objects, left = request_files.read(self._request_files(), self.folder / "final.jsonl")
        return Requests(**vars(table)), objects, left

    def _request_files(self) -> list[Path]:
        return sorted(self.folder.glob("requests-*.jsonl"))

    def _rows(self) -> Iterator[list[Any]]:
        for path in self._request_files():
            yield from (line for line in _lines(path) if isinstance(line, list))


class EventLog:
    """Appends events to a history, from any thread; a killed process loses none once `write` has returned."""

    def __init__(self, folder: Path) -> None:
        self._file = chain.open_for_append(folder / "events.jsonl")
        self._turn = threading.Lock()

    def write(self, kind: str, *, at_ns: int | None = None, **detail: object) -> int:
        """Record an event, now unless `at_ns` says when; return its time."""
        now_ns = time.monotonic_ns()
        at = now_ns if at_ns is None else at_ns
        utc = datetime.fromtimestamp((time.time_ns() - (now_ns - at)) / 1e9, UTC).isoformat()
        line = {"at_ns": at, "utc": utc, "kind": kind, **detail}
        with self._turn:  # whatever JSON does not know is told as text
            chain.append(self._file, json.loads(json.dumps(line, default=str)))
        return at

    def close(self) -> None:
        """Flush to the disk and close."""
        os.fsync(self._file)
        os.close(self._file)


def _lines(path: Path) -> Iterator[Any]:
    """Yield each whole line of a JSON-lines file; a torn last line was never acknowledged to anyone."""
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                return
            yield orjson.loads(line)


def _transfer(row: list[Any]) -> Transfer:
    debit, credit, cents = row[8]
    return Transfer(
        key=row[7], debit=debit, credit=credit, cents=cents, outcome=Outcome(row[4]), reason=row[5],
        status=row[6], start_ns=row[1], end_ns=row[2],
    )  # fmt: skip


def _event(line: dict[str, Any]) -> Event:
    known = ("at_ns", "utc", "kind", *chain.LINKS)
    detail = {name: value for name, value in line.items() if name not in known}
    return Event(at_ns=line["at_ns"], utc=line["utc"], kind=line["kind"], detail=detail)
