"""The transfers about which nothing is left to ask, found without making an object of each.

*Settled* is a transfer that was sent once, acknowledged, and found exactly once when it was read back: the
same accounts, the same cents, a sound pair of entries. In a good drill that is nearly all of them. Whatever
is not settled (refused, unanswered, gone, altered, doubled, unheard of, or merely written in another way) is
left to the probes, which look at each one by one. See `blackstart.columns` for how lines are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from blackstart.columns import ENDPOINTS, at_once, blocks, parts_of, read_block, time_digits
from blackstart.swar import Bytes, Flags, Places, are_digits, digits8, load8, numbers, stands

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.columns import Block, Columns, Part

Ids = npt.NDArray[np.int64]

_TRANSFER: Final = ENDPOINTS.index("transfer")
_ACKNOWLEDGED: Final = b'"transfer","ok","",'
_STATUS: Final = len(b'201,"')
_FOUND: Final = b'{"kind":"transfer","key":"'
_SOUND: Final = b',"entries":2,"entries_ok":true,"committed_at_ns":'
_STAMP_DIGITS: Final = 19  # of nanoseconds since 1970, from 2001 to 2286
_ACCOUNT_BITS, _CENT_BITS, _NUMBER_BITS = 20, 23, 24
_PREFIX_BYTES_MAX: Final = 96
_AT_ONCE: Final = 1 << 19


@dataclass(frozen=True, kw_only=True)
class Regular:
    """The lines of a block that are written as usual: which, whose, and what they say."""

    lines: Places
    ids: Ids
    whats: Ids


@dataclass
class Keys:
    """Gives each key a number: one for what it begins with, and the number at its end."""

    prefixes: dict[bytes, int] = field(default_factory=dict)
    turn: Lock = field(default_factory=Lock)

    def id_of(self, key: str) -> int | None:
        """Return the number of a key; None for one that no regular line can have."""
        prefix, _, number = key.encode().rpartition(b"-")
        code = self.prefixes.get(prefix + b"-")
        plain = number.isdigit() and len(number) < 8 and (number == b"0" or number[:1] != b"0")  # noqa: PLR2004 - as `numbers`
        return None if code is None or not plain else (code << _NUMBER_BITS) + int(number)

    def read(self, data: Bytes, places: Places) -> tuple[Ids, Places, Flags]:
        """Return the numbers of the keys at these places, where each ends, and which could be read."""
        prefix = _prefix(data, int(places[0]))
        with self.turn:  # several threads read
            code = self.prefixes.setdefault(prefix, len(self.prefixes))
        number, digits, sound = numbers(data, places + len(prefix))
        if prefix:
            sound &= stands(data, places, prefix)
        ids = number.view(np.int64) + (code << _NUMBER_BITS)
        return ids, places + len(prefix) + digits, sound & bool(prefix)


class Orders:
    """What the load attempted: acknowledged transfers as numbers, all others as lines."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.rows: list[list[Any]] = []
        self._read: list[Regular] = []

    def look(self, block: Block, columns: Columns, regular: Flags) -> None:
        """Collect the transfers of a block, while its requests are read."""
        read = _acknowledged(block, columns, regular, self.keys)
        left = ~regular | (columns.endpoint == _TRANSFER)
        left[read.lines] = False
        lines = [block.line(int(nth)) for nth in np.flatnonzero(left)]
        self.rows += [line for line in lines if isinstance(line, list) and line[7]]
        self._read.append(replace(read, lines=read.lines[:0]))

    def add(self, more: Orders) -> None:
        """Take over what others have collected."""
        self.rows += more.rows
        self._read += more._read

    def pack(self) -> None:
        """Keep what was collected in one piece: thousands of small ones leave holes in memory."""
        self._read = [_joined(self._read)]

    def take(self) -> list[Regular]:
        """Return the acknowledged ones, once: they take much memory."""
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
    keys, final_parts = orders.keys, parts_of([final_file] if final_file.exists() else [])
    read = at_once(lambda part: _read_back(part, keys), final_parts)
    found, records = [one for one, _ in read], [record for _, some in read for record in some]
    known = {keys.id_of(row[7]) for row in orders.rows}
    known |= {keys.id_of(record["key"]) for record in records if "key" in record}
    asked = np.array(sorted(key for key in known if key is not None), dtype=np.int64)
    acknowledged = orders.take()
    settled = _without(_agreed(acknowledged, found), asked)
    rows = list(orders.rows)
    if len(settled) < sum(len(one.ids) for one in acknowledged):
        rows += _other_rows(request_files, keys, settled)
    if len(settled) < sum(len(one.ids) for one in found):
        records += _other_records(final_parts, keys, settled)
    return Unsettled(settled=len(settled), rows=rows, records=records)


def _read_back(part: Part, keys: Keys) -> tuple[Regular, list[dict[str, Any]]]:
    """Return the sound transfers of a part of the final reads, and all else as it is."""
    read, records = [], []
    for block in blocks(part):
        regular = _found(block, keys)
        read.append(regular)
        others = np.ones(len(block.begins), dtype=np.bool_)
        others[regular.lines] = False
        records += _lines(block, np.flatnonzero(others))
    return _joined(read), records


def _other_rows(request_files: list[Path], keys: Keys, settled: Ids) -> list[list[Any]]:
    """Return the acknowledged transfers that are not settled, through the JSON parser."""
    rows: list[list[Any]] = []

    def look(block: Block, columns: Columns, regular: Flags) -> None:
        read = _acknowledged(block, columns, regular, keys)
        rows.extend(_lines(block, read.lines[~np.isin(read.ids, settled)]))

    for part in parts_of(request_files):
        for block in blocks(part):
            read_block(block, [], look)
    return rows


def _other_records(final_parts: list[Part], keys: Keys, settled: Ids) -> list[dict[str, Any]]:
    """Return the sound transfers of the final reads that are not settled."""
    records: list[dict[str, Any]] = []
    for part in final_parts:
        for block in blocks(part):
            regular = _found(block, keys)
            records += _lines(block, regular.lines[~np.isin(regular.ids, settled)])
    return records


def _lines(block: Block, which: Places) -> list[Any]:
    return [block.line(int(nth)) for nth in which]


def _without(ids: Ids, others: Ids) -> Ids:
    """Return sorted ids without those others, of which there are few."""
    at = np.searchsorted(ids, others)
    there = at[at < len(ids)]
    return np.delete(ids, there[ids[there] == others[at < len(ids)]])


def _agreed(orders: list[Regular], found: list[Regular]) -> Ids:
    """Return, in order, the keys that are in both exactly once and say the same.

    One range of keys after the other, for sorting all of them at once takes much memory.
    """
    acknowledged = [one.ids for one in orders if len(one.ids)]
    if not acknowledged:
        return _nothing().ids
    low, high = min(int(ids.min()) for ids in acknowledged), max(int(ids.max()) for ids in acknowledged) + 1
    edges = np.linspace(low, high, 2 + sum(map(len, acknowledged)) // _AT_ONCE).astype(np.int64)
    ranges = [(int(since), int(until)) for since, until in pairwise(edges)]
    return np.concatenate([_agreed_on(_range(orders, *ends), _range(found, *ends)) for ends in ranges])


def _range(read: list[Regular], since: int, until: int) -> Regular:
    """Return the lines with a key from `since` on and before `until`."""
    picked = []
    for one in read:
        rows = (one.ids >= since) & (one.ids < until)
        picked.append(replace(one, ids=one.ids[rows], whats=one.whats[rows]))
    return _joined(picked)


def _agreed_on(orders: Regular, found: Regular) -> Ids:
    one, other = _once(orders), _once(found)
    if not len(one.ids) or not len(other.ids):
        return np.zeros(0, dtype=np.int64)
    at = np.minimum(np.searchsorted(other.ids, one.ids), len(other.ids) - 1)
    agreed: Ids = one.ids[(other.ids[at] == one.ids) & (other.whats[at] == one.whats)]
    return agreed


def _once(lines: Regular) -> Regular:
    """Return the lines sorted by key, without those whose key is there more than once."""
    order = np.argsort(lines.ids, kind="stable")
    ids = lines.ids[order]
    doubled = np.zeros(len(ids), dtype=np.bool_)
    same = ids[1:] == ids[:-1]
    doubled[1:] |= same
    doubled[:-1] |= same
    return Regular(lines=order[:0], ids=ids[~doubled], whats=lines.whats[order[~doubled]])


def _acknowledged(block: Block, columns: Columns, regular: Flags, keys: Keys) -> Regular:
    """Read the acknowledged transfers of a block of requests."""
    lines = np.flatnonzero(regular & (columns.endpoint == _TRANSFER) & (columns.outcome == 0))
    if not len(lines):
        return _nothing()
    data = block.data
    places = block.begins[lines] + 1 + 3 * (time_digits(block) + 1) + len(_ACKNOWLEDGED)
    status = digits8(load8(data, places)) & np.uint64(0xFFFFFF)
    sound = are_digits(status) & stands(data, places + 3, b',"')
    ids, places, known = keys.read(data, places + _STATUS)
    sound &= known & stands(data, places, b'",[')
    whats, places, known = _order(data, places + 3, (b",", b",", b"]"))
    sound &= known & (places < block.ends[lines])
    return Regular(lines=lines[sound], ids=ids[sound], whats=whats[sound])


def _found(block: Block, keys: Keys) -> Regular:
    """Read the sound transfers of a block of final reads."""
    lines = np.flatnonzero(stands(block.data, block.begins, _FOUND))
    if not len(lines):
        return _nothing()
    data, ends = block.data, block.ends[lines]
    ids, places, sound = keys.read(data, block.begins[lines] + len(_FOUND))
    sound &= stands(data, places, b'","debit":')
    names = (b',"credit":', b',"cents":', _SOUND)
    whats, places, known = _order(data, places + len(b'","debit":'), names)
    sound &= known & (places + _STAMP_DIGITS + 1 == ends) & (data[ends - 1] == ord("}"))
    stamp = [digits8(load8(data, ends - 1 - _STAMP_DIGITS + at)) for at in (0, 8, _STAMP_DIGITS - 8)]
    sound &= are_digits(*stamp)
    return Regular(lines=lines[sound], ids=ids[sound], whats=whats[sound])


def _order(data: Bytes, places: Places, behind: tuple[bytes, ...]) -> tuple[Ids, Places, Flags]:
    """Read debit, credit and cents, each with what must stand behind it; the three make one number."""
    what, sound = np.zeros(len(places), dtype=np.int64), np.ones(len(places), dtype=np.bool_)
    bits = (_ACCOUNT_BITS, _ACCOUNT_BITS, _CENT_BITS)
    for width, after in zip(bits, behind, strict=True):
        number, digits, known = numbers(data, places)
        places = places + digits
        sound &= known & (number < np.uint64(1 << width)) & stands(data, places, after)
        what = (what << width) + number.view(np.int64)
        places = places + len(after)
    return what, places, sound


def _prefix(data: Bytes, place: int) -> bytes:
    """Return what the key at this place begins with, up to its last dash; nothing when that is not plain."""
    key, quote, _ = data[place : place + _PREFIX_BYTES_MAX].tobytes().partition(b'"')
    prefix, dash, _ = key.rpartition(b"-")
    return prefix + dash if quote and b"\\" not in prefix else b""


def _joined(read: list[Regular]) -> Regular:
    """Return what was read as one; which lines that were means nothing any more."""
    ids = np.concatenate([_nothing().ids, *(one.ids for one in read)])
    whats = np.concatenate([_nothing().whats, *(one.whats for one in read)])
    return Regular(lines=_nothing().lines, ids=ids, whats=whats)


def _nothing() -> Regular:
    empty = np.zeros(0, dtype=np.int64)
    return Regular(lines=empty, ids=empty, whats=empty)
