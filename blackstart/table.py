"""The columns of all requests of a history, narrow enough for millions of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from blackstart.columns import Columns
    from blackstart.swar import Flags, Places

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

    def fill(self, rows: slice, source: Columns) -> None:
        """Copy a block's columns into these."""
        self.intended_ns[rows], self.endpoint[rows] = source.intended_ns, source.endpoint
        self.outcome[rows], self.dropped[rows] = source.outcome, source.dropped
        self.lag_ns = _put(self.lag_ns, rows, source.start_ns - source.intended_ns)
        self.took_ns = _put(self.took_ns, rows, source.end_ns - source.start_ns)

    def select(self, rows: slice | Flags | Places) -> None:
        """Keep only these rows, in this order; one column after the other, so that memory suffices."""
        for name in vars(self):
            setattr(self, name, getattr(self, name)[rows])

    def sort(self) -> None:
        """Bring the rows into the order of their intended start."""
        self.select(np.argsort(self.intended_ns, kind="stable"))


def joined(tables: list[Table]) -> Table:
    """Return all tables as one, and leave nothing in them."""
    if not tables:
        return Table.room(0)
    whole = tables[0]
    for name in vars(whole) if len(tables) > 1 else ():
        column = np.concatenate([getattr(table, name) for table in tables])
        for table in tables:
            setattr(table, name, None)
        setattr(whole, name, column)
    return whole


def _put(column: Durations, rows: slice, durations: npt.NDArray[np.int64]) -> Durations:
    """Enter durations; return the column, which has become wider if they need it."""
    if len(durations) and not 0 <= durations.min() <= durations.max() < 1 << 32:
        column = column.astype(np.int64)
    column[rows] = durations
    return column
