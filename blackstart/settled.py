"""The transfers about which nothing is left to ask, found without making an object of each.

*Settled* is a transfer that was sent once, acknowledged, and found exactly once when it was read back: the
same accounts, the same cents, a sound pair of entries. In a good drill that is nearly all of them. Whatever
is not settled (refused, unanswered, gone, altered, doubled, unheard of, or merely written in another way) is
left to the probes, which look at each one by one. See `blackstart.columns` for how lines are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from blackstart.columns import Numbers, Plain
from blackstart.lines import at_once, blocks, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackstart.columns import Reader, Records, Requests, Row
    from blackstart.lines import Block, Part

_AT_ONCE: Final = 1 << 19


class Orders:
    """What the load attempted: plain transfers as numbers, all others as lines."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.rows: list[Row] = []
        self._read: list[Plain] = []

    def note(self, plain: Plain, rows: list[Row]) -> None:
        """Collect the transfers of a block."""
        self.rows += rows
        self._read.append(_without_lines(plain))

    def add(self, more: Orders) -> None:
        """Take over what others have collected."""
        self.rows += more.rows
        self._read += more._read

    def pack(self) -> None:
        """Keep what was collected in one piece: thousands of small ones leave holes in memory."""
        self._read = [_joined(self._read)]

    def take(self) -> list[Plain]:
        """Return the plain ones, once: they take much memory."""
        taken, self._read = self._read, []
        return taken


@dataclass(frozen=True, kw_only=True)
class Unsettled:
    """What is left to ask about: lines of the history, and records that were read back."""

    settled: int
    rows: list[list[Any]]
    records: list[dict[str, Any]]


def unsettled(orders: Orders, request_files: list[Path], final_file: Path) -> Unsettled:
    """Return how many transfers are settled, and every line and record of the others."""
    reader, final_parts = orders.reader, parts_of([final_file] if final_file.exists() else [])
    keys = reader.keys
    read = at_once(lambda part: _read_back(part, reader), final_parts)
    found, records = [one for one, _ in read], [record for _, some in read for record in some]
    known = {keys.id_of(row[7]) for row in orders.rows}
    known |= {keys.id_of(record["key"]) for record in records if "key" in record}
    asked = np.array(sorted(key for key in known if key is not None), dtype=np.int64)
    acknowledged = orders.take()
    settled = _without(_agreed(acknowledged, found), asked)
    rows = list(orders.rows)
    if len(settled) < sum(len(one.ids) for one in acknowledged):
        rows += _unsettled_lines(parts_of(request_files), reader.requests, settled)
    if len(settled) < sum(len(one.ids) for one in found):
        records += _unsettled_lines(final_parts, reader.records, settled)
    return Unsettled(settled=len(settled), rows=rows, records=records)


def _read_back(part: Part, reader: Reader) -> tuple[Plain, list[dict[str, Any]]]:
    """Return the plain transfers of a part of the final reads, and all else as it is."""
    read, records = [], []
    for block in blocks(part):
        found = reader.records(block)
        read.append(_without_lines(found.plain))
        records += found.others
    return _joined(read), records


def _unsettled_lines(
    parts: list[Part], read: Callable[[Block], Requests | Records], settled: Numbers
) -> list[Any]:
    """Return the plain transfers that are not settled, through the JSON parser."""
    found = ((block, read(block).plain) for part in parts for block in blocks(part))
    return [line for block, plain in found for line in plain.parsed(block, ~np.isin(plain.ids, settled))]


def _without(ids: Numbers, others: Numbers) -> Numbers:
    """Return sorted ids without those others, of which there are few."""
    at = np.searchsorted(ids, others)
    there = at[at < len(ids)]
    return np.delete(ids, there[ids[there] == others[at < len(ids)]])


def _agreed(orders: list[Plain], found: list[Plain]) -> Numbers:
    """Return, in order, the keys that are in both exactly once and say the same.

    One range of keys after the other, for sorting all of them at once takes much memory.
    """
    acknowledged = [one.ids for one in orders if len(one.ids)]
    if not acknowledged:
        return _nothing()
    low, high = min(int(ids.min()) for ids in acknowledged), max(int(ids.max()) for ids in acknowledged) + 1
    edges = np.linspace(low, high, 2 + sum(map(len, acknowledged)) // _AT_ONCE).astype(np.int64)
    ranges = [(int(since), int(until)) for since, until in pairwise(edges)]
    return np.concatenate([_agreed_on(_range(orders, *ends), _range(found, *ends)) for ends in ranges])


def _range(read: list[Plain], since: int, until: int) -> Plain:
    """Return the lines with a key from `since` on and before `until`."""
    picked = []
    for one in read:
        rows = (one.ids >= since) & (one.ids < until)
        picked.append(_told(one.ids[rows], one.whats[rows]))
    return _joined(picked)


def _agreed_on(orders: Plain, found: Plain) -> Numbers:
    one, other = _once(orders), _once(found)
    if not len(one.ids) or not len(other.ids):
        return np.zeros(0, dtype=np.int64)
    at = np.minimum(np.searchsorted(other.ids, one.ids), len(other.ids) - 1)
    agreed: Numbers = one.ids[(other.ids[at] == one.ids) & (other.whats[at] == one.whats)]
    return agreed


def _once(lines: Plain) -> Plain:
    """Return the lines sorted by key, without those whose key is there more than once."""
    order = np.argsort(lines.ids, kind="stable")
    ids = lines.ids[order]
    doubled = np.zeros(len(ids), dtype=np.bool_)
    same = ids[1:] == ids[:-1]
    doubled[1:] |= same
    doubled[:-1] |= same
    return _told(ids[~doubled], lines.whats[order[~doubled]])


def _joined(read: list[Plain]) -> Plain:
    """Return what was read as one; where its lines are means nothing any more."""
    ids = np.concatenate([_nothing(), *(one.ids for one in read)])
    whats = np.concatenate([_nothing(), *(one.whats for one in read)])
    return _told(ids, whats)


def _without_lines(plain: Plain) -> Plain:
    """Return a copy that may be kept: of a block's room, most is empty."""
    return _told(plain.ids.copy(), plain.whats.copy())


def _told(ids: Numbers, whats: Numbers) -> Plain:
    return Plain(ids, whats, _nothing(), _nothing())


def _nothing() -> Numbers:
    return np.zeros(0, dtype=np.int64)
