"""The columns of all requests of a history, narrow enough for millions of them."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from blackstart.columns import Columns

PIECE_ROWS = 1 << 18
Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
Durations = npt.NDArray[np.uint32] | npt.NDArray[np.int64]


@dataclass(kw_only=True)
class Table:
    """The columns of all requests, in half the memory: how much later instead of when, in 32 bits."""

    intended_ns: npt.NDArray[np.int64]
    lag_ns: Durations  # from the intended to the real start
    took_ns: Durations  # from there to the end
    endpoint: npt.NDArray[np.int8]
    outcome: npt.NDArray[np.int8]
    dropped: npt.NDArray[np.bool_]

    @classmethod
    def room(cls, rows: int) -> Table:
        """Return columns of that length; memory that is never written to is never taken."""
        return cls(
            intended_ns=np.empty(rows, np.int64), lag_ns=np.empty(rows, np.uint32),
            took_ns=np.empty(rows, np.uint32), endpoint=np.empty(rows, np.int8),
            outcome=np.empty(rows, np.int8), dropped=np.empty(rows, np.bool_),
        )  # fmt: skip

    def fill(self, row: int, source: Columns, order: Places) -> None:
        """Copy rows of a block's columns into these, in this order, from this row on."""
        rows = slice(row, row + len(order))
        intended_ns, start_ns = source.intended_ns[order], source.start_ns[order]
        self.intended_ns[rows], self.endpoint[rows] = intended_ns, source.endpoint[order]
        self.outcome[rows], self.dropped[rows] = source.outcome[order], source.dropped[order]
        self.lag_ns = _put(self.lag_ns, rows, start_ns - intended_ns)
        self.took_ns = _put(self.took_ns, rows, source.end_ns[order] - start_ns)

    def first(self, rows: int) -> Table:
        """Return a copy of so many rows."""
        return Table(**{name: _returnable(column[:rows]) for name, column in vars(self).items()})

    def sort(self) -> None:
        """Bring the rows into the order of their intended start; of one worker's, nearly all are."""
        wrong = np.flatnonzero(_out_of_place(self.intended_ns))
        if len(wrong) > len(self.intended_ns) // 4:
            order = np.argsort(self.intended_ns, kind="stable")
            for name in vars(self):  # one column after the other, so that memory suffices
                setattr(self, name, getattr(self, name)[order])
            return
        order = wrong[np.argsort(self.intended_ns[wrong], kind="stable")]
        for column in vars(self).values():
            column[wrong] = column[order]


def joined(tables: list[Table]) -> Table:
    """Return all tables as one, and leave nothing in them.

    One column, one table after the other: what has been moved takes no memory any more.
    """
    whole = Table.room(0)
    left = [vars(table) for table in tables]
    for name in vars(whole) if left else ():
        kind = np.result_type(*(table[name] for table in left))
        column, row = np.empty(sum(len(table[name]) for table in left), kind), 0
        for table in left:
            moved = table.pop(name)
            column[row : row + len(moved)] = moved
            row += len(moved)
        setattr(whole, name, column)
    return whole


def _returnable(column: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return a copy in memory that goes back to the system with it; the C library would keep it."""
    room = mmap.mmap(-1, max(1, column.nbytes))
    copy = np.frombuffer(room, column.dtype, len(column))
    copy[:] = column
    return copy


def _out_of_place(values: npt.NDArray[np.int64]) -> Flags:
    """Tell which values are below one before them, or above one after; all others stand where they belong."""
    wrong = np.zeros(len(values), dtype=np.bool_)
    pieces = [slice(first, first + PIECE_ROWS) for first in range(0, len(values), PIECE_ROWS)]
    highest = np.iinfo(np.int64).min
    for piece in pieces:
        before = np.maximum.accumulate(np.append(highest, values[piece]))
        wrong[piece] = values[piece] < before[:-1]
        highest = before[-1]
    lowest = np.iinfo(np.int64).max
    for piece in reversed(pieces):
        after = np.minimum.accumulate(np.append(lowest, values[piece][::-1]))
        wrong[piece] |= (values[piece][::-1] > after[:-1])[::-1]
        lowest = after[-1]
    return wrong


def _put(column: Durations, rows: slice, durations: npt.NDArray[np.int64]) -> Durations:
    """Enter durations; return the column, which has become wider if they need it."""
    if len(durations) and not 0 <= durations.min() <= durations.max() < 1 << 32:
        column = column.astype(np.int64)
    column[rows] = durations
    return column
