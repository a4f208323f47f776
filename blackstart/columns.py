"""Reads the requests of a history file into columns, some fifty times faster than a JSON parser does.

The recorder writes every request the same way, so nearly every line has its numbers and words where the
line before had them. Those lines are read eight bytes at a time, all lines of a block at once; each byte
that this relies on is compared with what it must be, and whatever line differs (a header, a footer, a
number with another count of digits, spaces) goes through the JSON parser, which decides.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from blackstart.swar import Bytes, Flags, Places, Words, are_digits, cut, digits8, load8, parse8, word
from blackstart.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Look = Callable[["Block", "Columns", Flags], None]  # a block, its columns, which lines these hold

T = TypeVar("T")

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
BLOCK_BYTES: Final = 2 << 20
PART_BYTES: Final = 64 << 20
LINE_BYTES_MIN: Final = 40  # no request is shorter; so many lines at most are in a file
HEAD_BYTES: Final = 80  # of a line: everything before its reason
PADDING: Final = 256  # behind a block, so that what is cut out of its last line does not reach beyond

_DIGITS: Final = range(9, 17)  # of a time, for two words to hold it
_OK, _FAILED, _UNKNOWN = word(b'"ok","",'), word(b'"failed"'), word(b'"unknown')
_DROPPED = word(b'"dropped')
_ENDPOINT_WORDS = (  # the first eight bytes of each endpoint, the last eight before its outcome, its length
    (word(b'"transfe'), word(b'ansfer",'), 8),
    (word(b'"balance'), word(b'alance",'), 7),
    (word(b'"login",'), word(b'"login",'), 5),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Whole lines of a file, from one byte to another."""

    path: Path
    since: int
    until: int


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines of a file, and where each begins and ends; `data` is longer by some padding."""

    data: Bytes
    begins: Places
    ends: Places  # of the line feeds

    def line(self, nth: int) -> Any:
        """Return one line, through the JSON parser."""
        return orjson.loads(self.data[self.begins[nth] : self.ends[nth]].tobytes())

    def heads(self) -> Bytes:
        """Return the beginnings of all lines, one below the other."""
        return cut(self.data, self.begins, HEAD_BYTES)


@dataclass(kw_only=True)
class Columns:
    """The columns of a block; all arrays have the same length."""

    intended_ns: npt.NDArray[np.int64]
    start_ns: npt.NDArray[np.int64]
    end_ns: npt.NDArray[np.int64]
    endpoint: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    dropped: npt.NDArray[np.bool_]

    @classmethod
    def room(cls, rows: int) -> Columns:
        """Return columns of that length; memory that is never written to is never taken."""
        return cls(
            intended_ns=np.empty(rows, np.int64), start_ns=np.empty(rows, np.int64),
            end_ns=np.empty(rows, np.int64), endpoint=np.empty(rows, np.int8),
            outcome=np.empty(rows, np.int8), dropped=np.empty(rows, np.bool_),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.dropped)

    def select(self, rows: slice | Flags | Places) -> None:
        """Keep only these rows, in this order."""
        for name in vars(self):
            setattr(self, name, getattr(self, name)[rows])

    def put(self, row: int, line: list[Any]) -> None:
        """Enter a line that the JSON parser read."""
        self.intended_ns[row], self.start_ns[row], self.end_ns[row] = line[:3]
        self.endpoint[row], self.outcome[row] = ENDPOINTS.index(line[3]), OUTCOMES.index(line[4])
        self.dropped[row] = line[5] == "dropped"


def blocks(part: Part) -> Iterator[Block]:
    """Yield the whole lines of a part, block by block; a torn last line was never acknowledged to anyone.

    Each block is overwritten by the next. Raises ValueError for a line longer than a block.
    """
    data, kept, left = np.zeros(BLOCK_BYTES + PADDING, dtype=np.uint8), 0, part.until - part.since
    with part.path.open("rb", buffering=0) as file:
        file.seek(part.since)
        while came := file.readinto(data[kept : min(BLOCK_BYTES, kept + left)].data):
            left -= came
            ends = np.flatnonzero(data[: kept + came] == ord("\n"))
            if len(ends):
                yield Block(data=data, begins=np.append(0, ends[:-1] + 1), ends=ends)
            torn_at = int(ends[-1]) + 1 if len(ends) else 0
            rest = data[torn_at : kept + came].copy()
            kept = len(rest)
            data[:kept] = rest
            if kept == BLOCK_BYTES:
                raise ValueError(f"{part.path.name} holds a line of more than {BLOCK_BYTES} bytes")


def parts_of(paths: Iterable[Path]) -> list[Part]:
    """Cut files into parts of whole lines that can be read at the same time."""
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


def at_once(do: Callable[[Part], T], parts: list[Part]) -> list[T]:
    """Do something to all parts, on all processors: NumPy lets go of the interpreter while it works."""
    if len(parts) < 2:  # noqa: PLR2004 - nothing to do at the same time
        return [do(part) for part in parts]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(do, parts))


def read_part(part: Part, objects: list[dict[str, Any]], look: Look) -> Table:
    """Return the requests of a part; append headers and footers to `objects`.

    `look` is shown each block, for what else there is to be read of it.
    """
    table, rows = Table.room((part.until - part.since) // LINE_BYTES_MIN + 1), 0
    for block in blocks(part):
        read = read_block(block, objects, look)
        # in order within each block: all that is left to do for the whole is to merge these
        read.select(np.argsort(read.intended_ns, kind="stable"))
        table.fill(slice(rows, rows + len(read)), read)
        rows += len(read)
    table.select(slice(rows))
    return table


def read_block(block: Block, objects: list[dict[str, Any]], look: Look) -> Columns:
    """Return the requests of a block; append the objects in between to `objects`."""
    columns = Columns.room(len(block.begins))
    regular = _read_regular(block, columns)
    look(block, columns, regular)
    is_request = np.ones(len(regular), dtype=np.bool_)
    for nth in np.flatnonzero(~regular):
        line = block.line(int(nth))
        if isinstance(line, list):
            columns.put(int(nth), line)
        else:
            is_request[nth] = False
            objects.append(line)
    if not is_request.all():
        columns.select(is_request)
    return columns


def time_digits(block: Block) -> int:
    """Return how many digits the times of this block have, by its first request; 0 when it has none."""
    first = int(np.argmax(block.data[block.begins] == ord("["))) if len(block.begins) else 0
    line = block.data[block.begins[first] : block.ends[first]].tobytes() if len(block.begins) else b""
    return line.find(b",") - 1 if line.startswith(b"[") else 0


def _read_regular(block: Block, columns: Columns) -> Flags:
    """Fill in every line that is as the recorder writes it; return which these are."""
    digits = time_digits(block)
    if digits not in _DIGITS:
        return np.zeros(len(block.begins), dtype=np.bool_)
    heads = block.heads()
    regular = block.ends - block.begins >= 3 * digits + LINE_BYTES_MIN - 6
    regular &= (heads[:, 0] == ord("[")) & (block.data[block.ends - 1] == ord("]"))
    at = 1
    for column in (columns.intended_ns, columns.start_ns, columns.end_ns):
        regular &= _times(heads, at, digits, column)
        at += digits + 1
    regular &= _endpoints(block, heads, at, columns)
    return regular


def _words(heads: Bytes, at: int) -> Words:
    """Return the eight bytes at the same place of every line."""
    return np.ndarray((len(heads),), dtype="<u8", buffer=heads, offset=at, strides=(HEAD_BYTES,))


def _times(heads: Bytes, at: int, digits: int, column: npt.NDArray[np.int64]) -> Flags:
    """Read numbers of that many digits with a comma behind; two words, which overlap, hold one."""
    high, low = digits8(_words(heads, at)), digits8(_words(heads, at + digits - 8))
    fits = are_digits(high, low)
    fits &= heads[:, at + digits] == ord(",")
    fits &= heads[:, at] != ord("0")  # which JSON knows no number to begin with
    first = parse8(high)
    first //= np.uint64(10 ** (16 - digits))
    first *= np.uint64(10**8)
    first += parse8(low)
    column[:] = first.view(np.int64)
    return fits


def _endpoints(block: Block, heads: Bytes, at: int, columns: Columns) -> Flags:
    """Read which endpoint was asked, from the opening quote on, and how that ended."""
    first, known = _words(heads, at), np.zeros(len(heads), dtype=np.bool_)
    columns.outcome[:], columns.dropped[:] = 0, False
    for code, (begin, end, length) in enumerate(_ENDPOINT_WORDS):
        outcome_at = at + length + 3
        here = (first == begin) & (_words(heads, outcome_at - 8) == end)
        columns.endpoint[here] = code
        well = _words(heads, outcome_at) == _OK
        known |= here & well
        others = np.flatnonzero(here & ~well)
        known[others] = _not_ok(block, others, block.begins[others] + outcome_at, columns)
    return known


def _not_ok(block: Block, rows: Places, place: Places, columns: Columns) -> Flags:
    """Read how requests ended that did not end well, from the opening quote on."""
    data = block.data
    ended, known = load8(data, place), np.zeros(len(rows), dtype=np.bool_)
    for code, (begin, length) in enumerate(((_FAILED, 8), (_UNKNOWN, 9)), start=1):
        here = ended == begin
        reason_at = place + length + 1
        columns.outcome[rows[here]] = code
        columns.dropped[rows[here]] = (load8(data, reason_at) == _DROPPED)[here]
        known |= here & (data[reason_at - 1] == ord(",")) & (data[reason_at - 2] == ord('"'))
    return known
