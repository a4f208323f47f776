"""The transfers about which nothing is left to ask, found without making an object of each.

*Settled* is a transfer that was acknowledged as new once, and found exactly once when it was read back: the
same accounts, the same cents, a sound pair of entries. It may have been sent again and acknowledged as known.
In a good drill that is nearly all of them. Whatever is not settled (refused, unanswered, gone, altered,
doubled, unheard of, or merely written in another way) is left to the probes, which look at each one by one.
See `blackstart.columns` for how lines are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from blackstart.columns import NUMBER_DIGITS
from blackstart.lines import at_once, blocks, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from blackstart.columns import Numbers, Plain, Reader, Records, Requests, Row
    from blackstart.lines import Block, Part

UNHEARD_OF: Final = 0
SETTLED: Final = 1
QUESTIONABLE: Final = 2


class Orders:
    """What the load attempted: all lines but those of plain transfers; of these, how each stands.

    Each has a place by the number of its key, in an array for each prefix: what was ordered, inverted and so
    below zero, when it was acknowledged, else one of the three above.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.rows: list[Row] = []
        self.acknowledged = self.read_back = self.settled = 0  # plain ones; repeated ones once
        self._places: list[Numbers] = []
        self._turn = Lock()

    def note(self, found: Requests) -> None:
        """Take note of the transfers of a block, from any thread."""
        plain = found.plain
        with self._turn:
            self.rows += found.transfers
            if self.reader.scan and len(plain.keys):
                repeats = self.reader.scan.order(plain.keys, plain.whats, self._of(plain.prefix))
                self.acknowledged += len(plain.keys) - repeats

    def find(self, found: Records) -> None:
        """Hold what was read back against what was acknowledged, all of which must have been noted."""
        plain = found.plain
        with self._turn:
            if self.reader.scan and len(plain.keys):
                self.settled += self.reader.scan.find(plain.keys, plain.whats, self._of(plain.prefix))
                self.read_back += len(plain.keys)

    def question(self, key: object) -> None:
        """Have this transfer looked at, whatever is known of it."""
        place = self.reader.keys.place_of(key)
        if place is not None:
            prefix, number = place
            self.settled -= int(self._of(prefix)[number] == SETTLED)
            self._of(prefix)[number] = QUESTIONABLE

    def unsettled(self, plain: Plain) -> npt.NDArray[np.bool_]:
        """Tell of which transfers of a block there is something left to ask."""
        return np.not_equal(self._of(plain.prefix)[plain.keys], SETTLED)

    def forget(self) -> None:
        """Give the memory of all places back."""
        self._places.clear()

    def _of(self, prefix: int) -> Numbers:
        while len(self._places) <= prefix:  # memory that is never written to is never taken
            self._places.append(np.zeros(10**NUMBER_DIGITS, np.int64))
        return self._places[prefix]


@dataclass(frozen=True, kw_only=True)
class Unsettled:
    """What is left to ask about: lines of the history, and records that were read back."""

    settled: int
    rows: list[list[Any]]
    records: list[dict[str, Any]]


def unsettled(orders: Orders, request_files: Sequence[Path], final_file: Path) -> Unsettled:
    """Return how many transfers are settled, and every line and record of the others.

    Afterwards the orders know nothing any more: they take much memory.
    """
    reader, final_parts = orders.reader, parts_of([final_file] if final_file.exists() else [])
    records = [record for some in at_once(lambda part: _find(orders, part), final_parts) for record in some]
    for key in {row[7] for row in orders.rows} | {record["key"] for record in records if "key" in record}:
        orders.question(key)
    rows = list(orders.rows)
    if orders.settled < orders.acknowledged:
        rows += _unsettled_lines(orders, parts_of(request_files), reader.requests)
    if orders.settled < orders.read_back:
        records += _unsettled_lines(orders, final_parts, reader.records)
    orders.forget()
    return Unsettled(settled=orders.settled, rows=rows, records=records)


def _find(orders: Orders, part: Part) -> list[dict[str, Any]]:
    """Find the plain transfers of a part of the final reads; return all else as it is."""
    others = []
    for block in blocks(part):
        found = orders.reader.records(block)
        orders.find(found)
        others += found.others
    return others


def _unsettled_lines(
    orders: Orders, parts: list[Part], read: Callable[[Block], Requests | Records]
) -> Iterator[Any]:
    """Yield the plain transfers that are not settled, through the JSON parser."""
    for part in parts:
        for block in blocks(part):
            plain = read(block).plain
            yield from plain.parsed(block, orders.unsettled(plain))
