"""Numbers out of text, eight digits at a time: the bytes of a word are worked on side by side."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_ZEROS: Final = np.uint64(0x3030303030303030)  # eight times "0"
_HIGH: Final = np.uint64(0x8080808080808080)
_LOW7: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_ABOVE_9: Final = np.uint64(0x7676767676767676)  # added to 0..9 it leaves a byte's highest bit alone
_PAIRS: Final = np.uint64(0x000000FF000000FF)
_EIGHT: Final = 8


def word(text: bytes) -> np.uint64:
    """Return the word that these eight bytes make."""
    return np.uint64(int.from_bytes(text, "little"))


def cut(data: Bytes, places: Places, length: int) -> Bytes:
    """Return so many bytes from each of these places on, one row below the other."""
    every = np.ndarray((len(data) - length + 1,), dtype=f"V{length}", buffer=data, strides=(1,))
    return every[places].view(np.uint8).reshape(-1, length)


def load8(data: Bytes, places: Places) -> Words:
    """Return the eight bytes from each of these places on, which need not be aligned."""
    return cut(data, places, 8).view("<u8").ravel()


def stands(data: Bytes, places: Places, text: bytes) -> Flags:
    """Tell at which of these places the text stands."""
    length = -(-len(text) // _EIGHT) * _EIGHT
    there = cut(data, places, length).view("<u8")
    wanted = np.frombuffer(text.ljust(length, b"\0"), dtype="<u8")
    matters = np.frombuffer((b"\xff" * len(text)).ljust(length, b"\0"), dtype="<u8")
    wrong = np.zeros(len(places), dtype=np.uint64)
    for nth in range(len(wanted)):
        wrong |= (there[:, nth] & matters[nth]) ^ wanted[nth]
    flags: Flags = wrong == 0
    return flags


def digits8(text: Words) -> Words:
    """Return words of digits as words of their values, 0 to 9 in each byte."""
    return text ^ _ZEROS


def are_digits(*words: Words) -> Flags:
    """Tell where all of the words, as `digits8` returns them, consist of digits."""
    others = _others(words[0])
    for more in words[1:]:
        others |= _others(more)
    flags: Flags = others == 0
    return flags


def parse8(digits: Words) -> Words:
    """Return the numbers that eight digits make, the first byte being the most significant digit."""
    pairs = digits * np.uint64(10)
    pairs += digits >> np.uint64(_EIGHT)
    high = pairs & _PAIRS
    high *= np.uint64(100 + (1000000 << 32))
    pairs >>= np.uint64(16)
    pairs &= _PAIRS
    pairs *= np.uint64(1 + (10000 << 32))
    high += pairs
    high >>= np.uint64(32)
    return high


def numbers(data: Bytes, places: Places) -> tuple[Words, Places, Flags]:
    """Return the numbers that stand at these places, how many digits they have, and which are sound.

    A sound one has seven digits at most, and does not begin with a zero unless it is one.
    """
    digits = digits8(load8(data, places))
    others = _others(digits)
    first_other = others & (~others + np.uint64(1))
    count = (np.bitwise_count(first_other - np.uint64(1)) >> 3).astype(np.int64)
    sound = (count >= 1) & (count < _EIGHT) & ((data[places] != ord("0")) | (count == 1))
    shift = ((8 - np.maximum(count, 1)) * 8).astype(np.uint64)
    return parse8(digits << shift), count, sound


def _others(digits: Words) -> Words:
    """Return words whose bytes have their highest bit set where there is no digit."""
    high = digits & _LOW7
    high += _ABOVE_9
    high |= digits
    high &= _HIGH
    return high
