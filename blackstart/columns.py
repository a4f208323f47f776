"""Reads blocks of a history: requests as columns, transfers as numbers, and all else as it is.

Up to some hundred thousand requests each line goes through the JSON parser. Of more, nearly all are written
as the recorder always does: `scan` reads these, some thirty times faster, and hands out whatever differs
(a header, a footer, spaces) for the JSON parser to decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from blackstart.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from blackstart.lines import Block, Part

Numbers = npt.NDArray[np.int64]
Row = list[Any]

COLUMNS: Final = (
    "intended_ns",  # when the schedule wanted the request to start
    "start_ns",  # when it was really sent; equals intended_ns + the generator's own lag
    "end_ns",  # when its outcome was known
    "endpoint",  # "transfer", "balance" or "login"
    "outcome",  # see history.Outcome
    "reason",  # "" when ok, else "timeout", "refused", "reset", "http", "dropped", "unresolved"
    "status",  # HTTP status, 0 when there was no answer
    "key",  # idempotency key of a transfer, else ""
    "what",  # [debit account, credit account, cents] of a transfer, else null
    "task",  # which task answered (X-Task), "" when none did
    "az",  # in which availability zone (X-AZ), "" when unknown
)
ENDPOINTS: Final = ("transfer", "balance", "login")
OUTCOMES: Final = ("ok", "failed", "unknown")
MANY_BYTES: Final = 16 << 20  # from here on compiled code saves more time than it takes to load
LINE_BYTES_MIN: Final = 40  # no request is shorter; so many lines at most are in a file
NUMBER_DIGITS: Final = 7  # of the number at the end of a key
PREFIXES_MAX: Final = 64  # of keys: one for each worker of the load
NOWHERE: Final = -1

_KEY = rb'"([^"\\\n]{1,96}-)[0-9]+"'
_ACKNOWLEDGED = re.compile(rb'"transfer","ok","",201,' + _KEY)
_READ_BACK = re.compile(rb'\{"kind":"transfer","key":' + _KEY)


class Columns(NamedTuple):
    """The requests of a block; endpoint and outcome are indices into ENDPOINTS and OUTCOMES."""

    intended_ns: Numbers
    start_ns: Numbers
    end_ns: Numbers
    endpoint: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    dropped: npt.NDArray[np.bool_]

    @classmethod
    def room(cls, rows: int) -> Columns:
        """Return columns of that length."""
        intended_ns, start_ns, end_ns = (np.empty(rows, np.int64) for _ in range(3))
        codes = np.empty(rows, np.int8), np.empty(rows, np.int8)
        return cls(intended_ns, start_ns, end_ns, *codes, np.empty(rows, np.bool_))

    def put(self, row: int, line: Row) -> None:
        """Enter a line that the JSON parser read."""
        self.intended_ns[row], self.start_ns[row], self.end_ns[row] = line[:3]
        self.endpoint[row], self.outcome[row] = ENDPOINTS.index(line[3]), OUTCOMES.index(line[4])
        self.dropped[row] = line[5] == "dropped"


class Plain(NamedTuple):
    """Transfers written as usual, acknowledged or read back: whose, what, and where their lines are."""

    prefix: int  # with which the keys of all of them begin
    keys: Numbers  # the numbers at their ends
    whats: Numbers
    begins: Numbers
    ends: Numbers  # of the line feeds

    @classmethod
    def room(cls, lines: int) -> Plain:
        """Return room for so many lines."""
        return cls(0, *(np.empty(lines, np.int64) for _ in range(4)))

    def first(self, count: int, prefix: int) -> Plain:
        """Return so many of them, in the same memory; with keys of this prefix."""
        return Plain(prefix, self.keys[:count], self.whats[:count], self.begins[:count], self.ends[:count])

    def parsed(self, block: Block, which: npt.NDArray[np.bool_]) -> Iterator[Any]:
        """Yield what the lines of some of them say."""
        for begin, end in zip(self.begins[which].tolist(), self.ends[which].tolist(), strict=True):
            yield block.line(begin, end)


class Others(NamedTuple):
    """Lines about which the JSON parser decides."""

    begins: Numbers
    ends: Numbers  # of the line feeds
    rows: Numbers  # the row of the columns that is to be filled; NOWHERE when it has been

    @classmethod
    def room(cls, lines: int) -> Others:
        """Return room for so many lines."""
        return cls(*(np.empty(lines, np.int64) for _ in cls._fields))

    def put_all(self, block: Block) -> int:
        """Enter every line of a block; return how many."""
        ends = np.flatnonzero(block.bytes == ord("\n"))
        lines = len(ends)
        self.ends[:lines], self.rows[:lines] = ends, np.arange(lines)
        self.begins[:1], self.begins[1:lines] = 0, ends[:-1] + 1
        return lines

    def parsed(self, block: Block, count: int) -> Iterator[tuple[Any, int]]:
        """Yield what the first lines say, and their rows."""
        for begin, end, row in zip(*(column[:count].tolist() for column in self), strict=True):
            yield block.line(begin, end), row


@dataclass
class Keys:
    """Gives each key a place: one number for what it begins with, and the number at its end."""

    prefixes: dict[bytes, int] = field(default_factory=dict)
    turn: Lock = field(default_factory=Lock)

    def prefix(self, block: Block, kind: re.Pattern[bytes]) -> tuple[npt.NDArray[np.uint8], int]:
        """Return what the first key of its kind in a block begins with, and the number of that.

        Nothing where there is none, or where there are too many: then no transfer is plain.
        """
        found = kind.search(block.data, 0, block.until)
        with self.turn:  # several threads read
            if not found or (len(self.prefixes) == PREFIXES_MAX and found[1] not in self.prefixes):
                return np.frombuffer(b"", np.uint8), 0
            prefix = self.prefixes.setdefault(found[1], len(self.prefixes))
        return np.frombuffer(found[1], np.uint8), prefix

    def place_of(self, key: object) -> tuple[int, int] | None:
        """Return the two numbers of a key; None for one that no plain line can have."""
        if not isinstance(key, str):
            return None
        prefix, _, number = key.encode().rpartition(b"-")
        code = self.prefixes.get(prefix + b"-")
        is_plain = number.isdigit() and len(number) <= NUMBER_DIGITS and str(int(number)).encode() == number
        return None if code is None or not is_plain else (code, int(number))


@dataclass(frozen=True, kw_only=True)
class Requests:
    """What a block of requests holds, but for lists only until the next block is read."""

    columns: Columns
    order: Numbers  # rows of the columns: those that are requests, by their intended start
    plain: Plain
    transfers: list[Row]  # all others
    objects: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Records:
    """What a block of final reads holds; plain transfers only until the next block is read."""

    plain: Plain
    others: list[dict[str, Any]]


class _Rooms(local):
    """Room for what a block, or a part, holds, one for each thread: new memory each time costs too much."""

    bytes = rows = 0

    def of_block(self, block: Block) -> tuple[Columns, Plain, Others]:
        """Return room for as many lines as it has bytes; only what is filled becomes real memory."""
        if block.until > self.bytes:
            self.bytes = len(block.data)
            self.block = Columns.room(self.bytes), Plain.room(self.bytes), Others.room(self.bytes)
        return self.block

    def of_part(self, rows: int) -> Table:
        """Return room for so many rows, or more."""
        if rows > self.rows:
            self.rows, self.part = rows, Table.room(rows)
        return self.part


@dataclass(frozen=True)
class Reader:
    """Reads blocks, with compiled code if there is much to be read."""

    keys: Keys
    scan: ModuleType | None
    rooms: _Rooms = field(default_factory=_Rooms)

    @classmethod
    def of(cls, parts: Iterable[Part], keys: Keys) -> Reader:
        """Return a reader for so much."""
        if sum(part.until - part.since for part in parts) < MANY_BYTES:
            return cls(keys, None)
        from blackstart import scan  # noqa: PLC0415 - a second and 100 MB that few histories need

        return cls(keys, scan)

    def requests(self, block: Block) -> Requests:
        """Read a block of requests. Raises ValueError, TypeError or IndexError for a line that is none."""
        columns, plain, others = self.rooms.of_block(block)
        code = found = 0
        if self.scan:
            prefix, code = self.keys.prefix(block, _ACKNOWLEDGED)
            lines, found, left = self.scan.requests(block.bytes, prefix, columns, plain, others)
        else:
            lines = left = others.put_all(block)
        transfers, objects = [], []
        is_request = np.ones(lines, np.bool_)
        for line, row in others.parsed(block, left):
            if not isinstance(line, list):
                is_request[row] = False
                objects.append(line)
                continue
            if row != NOWHERE:
                columns.put(row, line)
            if line[7]:
                transfers.append(line)
        rows = np.flatnonzero(is_request)
        return Requests(
            columns=columns, order=rows[np.argsort(columns.intended_ns[rows], kind="stable")],
            plain=plain.first(found, code), transfers=transfers, objects=objects,
        )  # fmt: skip

    def records(self, block: Block) -> Records:
        """Read a block of final reads."""
        _, plain, others = self.rooms.of_block(block)
        code = 0
        if self.scan:
            prefix, code = self.keys.prefix(block, _READ_BACK)
            found, left = self.scan.records(block.bytes, prefix, plain, others)
        else:
            found, left = 0, others.put_all(block)
        parsed = [line for line, _ in others.parsed(block, left)]
        return Records(plain=plain.first(found, code), others=parsed)
