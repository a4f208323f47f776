"""Compiled loops over the bytes of a history's files: lines written as usual, read in one pass.

In plain Python such a loop is far too slow for ten million lines, and as NumPy operations on all lines of a
block it was more work for the processor and hard to follow. Numba compiles these functions, and they let go
of the interpreter while they run. A line that differs from the usual in a byte that matters (spaces, another
key, a number with a fraction) is not read here but handed out, for the JSON parser to decide.

`data` holds whole lines: nothing here reads beyond the line feed that ends a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from blackstart.columns import NOWHERE, NUMBER_DIGITS
from blackstart.settled import QUESTIONABLE, SETTLED, UNHEARD_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.columns import Columns, Numbers, Others, Plain

F = TypeVar("F", bound="Callable[..., Any]")
Bytes = npt.NDArray[np.uint8]
Place = int

ACCOUNT_BITS: Final = 20
CENT_BITS: Final = 23
TIME_DIGITS: Final = 18  # which 64 bits hold
STAMP_DIGITS: Final = 19  # of nanoseconds since 1970, from 2001 to 2286
# What Numba keeps is compiled anew when this file changes, and not when those do that these come from
if (NOWHERE, NUMBER_DIGITS, UNHEARD_OF, SETTLED, QUESTIONABLE) != (-1, 7, 0, 1, 2):
    raise ImportError("constants have changed that compiled code knows: change them here too")


def _text(text: bytes) -> Bytes:
    return np.frombuffer(text, dtype=np.uint8)


_ZERO, _NINE, _LINE_FEED, _BRACKET = b"09\n]"
_OPEN, _COMMA, _CLOSE = _text(b"["), _text(b","), _text(b"]")
_TRANSFER, _BALANCE, _LOGIN = _text(b'"transfer",'), _text(b'"balance",'), _text(b'"login",')
_OK, _FAILED, _UNKNOWN = _text(b'"ok","",'), _text(b'"failed","'), _text(b'"unknown","')
_DROPPED = _text(b'dropped",')
_BOOKED, _BOOKED_BEFORE = _text(b"201"), _text(b"200")
_BEFORE_KEY, _BEFORE_ORDER = _text(b',"'), _text(b'",[')
_RECORD, _DEBIT = _text(b'{"kind":"transfer","key":"'), _text(b'","debit":')
_CREDIT, _CENTS = _text(b',"credit":'), _text(b',"cents":')
_SOUND, _END = _text(b',"entries":2,"entries_ok":true,"committed_at_ns":'), _text(b"}\n")


def _compiled(function: F) -> F:
    """Compile a function into its callers, and keep what came of it wherever that can be written.

    Calling the small ones instead takes as long again as what they do.
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True, forceinline=True)(function))
    except RuntimeError:  # neither beside this file nor in the user's cache
        return cast("F", numba.njit(nogil=True, forceinline=True)(function))


@_compiled
def requests(
    data: Bytes, prefix: Bytes, columns: Columns, plain: Plain, others: Others
) -> tuple[int, int, int]:
    """Read a block of requests, one row a line; return its lines, how many plain transfers, how many others.

    Keys begin with `prefix`; without one no transfer is plain. One that is not, or was not acknowledged, is
    among the others with its columns read.
    """
    row = found = other = begin = 0
    while begin < len(data):
        place, endpoint, outcome = _columns(data, begin, columns, row)
        behind, key, what = NOWHERE, 0, 0
        if place != NOWHERE and endpoint == 0 and outcome == 0:
            behind, key, what = _acknowledged(data, place, prefix)
        end = _line_end(data, max(begin, place, behind))
        if data[end - 1] != _BRACKET:
            place = behind = NOWHERE
        if behind != NOWHERE:
            plain.keys[found], plain.whats[found] = key, what
            plain.begins[found], plain.ends[found] = begin, end
            found += 1
        elif place == NOWHERE or endpoint == 0:
            others.begins[other], others.ends[other] = begin, end
            others.rows[other] = row if place == NOWHERE else NOWHERE
            other += 1
        row += 1
        begin = end + 1
    return row, found, other


@_compiled
def records(data: Bytes, prefix: Bytes, plain: Plain, others: Others) -> tuple[int, int]:
    """Read a block of final reads; return how many plain transfers and how many other lines it has."""
    found = other = begin = 0
    while begin < len(data):
        behind, key, what = _sound(data, begin, prefix)
        end = _line_end(data, max(begin, behind))
        if behind != NOWHERE:
            plain.keys[found], plain.whats[found] = key, what
            plain.begins[found], plain.ends[found] = begin, end
            found += 1
        else:
            others.begins[other], others.ends[other] = begin, end
            others.rows[other] = NOWHERE
            other += 1
        begin = end + 1
    return found, other


@_compiled
def order(keys: Numbers, whats: Numbers, places: Numbers) -> int:
    """Enter a block's plain transfers in their places; return how many repeat what is there already."""
    repeats = 0
    for nth in range(len(keys)):
        key, what = keys[nth], whats[nth]
        if what < 0 and places[key] == what:
            repeats += 1
        elif what >= 0 and places[key] == UNHEARD_OF:
            places[key] = ~what
        else:
            places[key] = QUESTIONABLE
    return repeats


@_compiled
def find(keys: Numbers, whats: Numbers, places: Numbers) -> int:
    """Enter what a block of final reads has found; return by how many more transfers are settled."""
    change = 0
    for nth in range(len(keys)):
        key, what = keys[nth], whats[nth]
        if places[key] == ~what:
            places[key] = SETTLED
            change += 1
        else:
            change -= int(places[key] == SETTLED)
            places[key] = QUESTIONABLE
    return change


@_compiled
def _columns(data: Bytes, at: Place, columns: Columns, row: int) -> tuple[Place, int, int]:
    """Read a line from its bracket to behind its reason; return that place, its endpoint and outcome."""
    place = _behind(data, at, _OPEN)
    columns.intended_ns[row], place = _number(data, place, TIME_DIGITS)
    columns.start_ns[row], place = _number(data, _behind(data, place, _COMMA), TIME_DIGITS)
    columns.end_ns[row], place = _number(data, _behind(data, place, _COMMA), TIME_DIGITS)
    endpoint, place = _one_of(data, _behind(data, place, _COMMA), _TRANSFER, _BALANCE, _LOGIN)
    outcome, place = _one_of(data, place, _OK, _FAILED, _UNKNOWN)
    columns.endpoint[row], columns.outcome[row] = endpoint, outcome
    columns.dropped[row] = outcome > 0 and _behind(data, place, _DROPPED) != NOWHERE
    return place, endpoint, outcome


@_compiled
def _acknowledged(data: Bytes, at: Place, prefix: Bytes) -> tuple[Place, int, int]:
    """Read an acknowledged transfer from its status on; return the place behind it, its number, what.

    What the customer had sent before, and was told so, is inverted, and so below zero.
    """
    behind = _behind(data, at, _BOOKED)
    is_repeated = behind == NOWHERE
    if is_repeated:
        behind = _behind(data, at, _BOOKED_BEFORE)
    key, place = _key(data, _behind(data, behind, _BEFORE_KEY), prefix)
    debit, place = _small(data, _behind(data, place, _BEFORE_ORDER), ACCOUNT_BITS, _COMMA)
    credit, place = _small(data, place, ACCOUNT_BITS, _COMMA)
    cents, place = _small(data, place, CENT_BITS, _CLOSE)
    what = (debit << ACCOUNT_BITS | credit) << CENT_BITS | cents
    return place, key, ~what if is_repeated else what


@_compiled
def _sound(data: Bytes, at: Place, prefix: Bytes) -> tuple[Place, int, int]:
    """Read a transfer that was read back, and is sound; return what `_acknowledged` does."""
    key, place = _key(data, _behind(data, at, _RECORD), prefix)
    debit, place = _small(data, _behind(data, place, _DEBIT), ACCOUNT_BITS, _CREDIT)
    credit, place = _small(data, place, ACCOUNT_BITS, _CENTS)
    cents, place = _small(data, place, CENT_BITS, _SOUND)
    for _ in range(STAMP_DIGITS):
        if place != NOWHERE:
            place = place + 1 if _ZERO <= data[place] <= _NINE else NOWHERE
    if _behind(data, place, _END) == NOWHERE:
        place = NOWHERE
    return place, key, (debit << ACCOUNT_BITS | credit) << CENT_BITS | cents


@_compiled
def _key(data: Bytes, at: Place, prefix: Bytes) -> tuple[int, Place]:
    """Return the number behind a key's prefix, and the place behind that."""
    place = _behind(data, at, prefix) if len(prefix) else NOWHERE
    return _number(data, place, NUMBER_DIGITS)


@_compiled
def _small(data: Bytes, at: Place, bits: int, text: Bytes) -> tuple[int, Place]:
    """Return a number of at most so many bits, and the place behind the text that must follow it."""
    value, place = _number(data, at, NUMBER_DIGITS)
    return value, _behind(data, place, text) if value < 1 << bits else NOWHERE


@_compiled
def _number(data: Bytes, at: Place, digits_max: int) -> tuple[int, Place]:
    """Return the number that stands here as JSON writes one, and the place behind it."""
    if at == NOWHERE:
        return 0, NOWHERE
    value, place = 0, at
    while place - at < digits_max and _ZERO <= data[place] <= _NINE:
        value = 10 * value + int(data[place]) - _ZERO
        place += 1
    is_sound = place == at + 1 or (place > at and data[at] != _ZERO)
    return value, place if is_sound else NOWHERE


@_compiled
def _one_of(data: Bytes, at: Place, first: Bytes, second: Bytes, third: Bytes) -> tuple[int, Place]:
    """Return which of three texts stands here, and the place behind it."""
    for nth, text in enumerate((first, second, third)):
        place = _behind(data, at, text)
        if place != NOWHERE:
            return nth, place
    return 0, NOWHERE


@_compiled
def _behind(data: Bytes, at: Place, text: Bytes) -> Place:
    """Return the place behind a text that must stand here, NOWHERE if it does not."""
    if at == NOWHERE:
        return NOWHERE
    for nth in range(len(text)):
        if data[at + nth] != text[nth]:
            return NOWHERE
    return at + len(text)


@_compiled
def _line_end(data: Bytes, at: Place) -> Place:
    """Return the place of the line feed."""
    while data[at] != _LINE_FEED:
        at += 1
    return at
