"""What a person hears of a runbook: its lines with their times, and what they say about time."""

from __future__ import annotations

import re
import statistics
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"^(?P<step>[A-Z].*): (?:done|was done already) in (?P<seconds>[\d.]+) s")
_LEFT = re.compile(r"about (\d+) s left")


def spoken(heard: list[tuple[float, str]]) -> dict[str, Any]:
    """Return what the lines say: how long each step took, how long nothing was said, how well it guessed."""
    ends = {m["step"]: (at, float(m["seconds"])) for at, line in heard if (m := _STEP.match(line))}
    found = {f"{step}, s": seconds for step, (_, seconds) in ends.items()}
    restored = ends["Restore it into a new cluster"][0]
    off = [
        abs(at + int(m[1]) - restored) for at, line in heard if at < restored and (m := _LEFT.search(line))
    ]
    return {
        **found,
        "runbook, s": heard[-1][0] - heard[0][0],
        "longest without a line, s": longest([at for at, _ in heard]),
        "estimates of the restore, off by, median, s": statistics.median(off) if off else None,
    }


def longest(moments: list[float]) -> float:
    """Return the longest time between two of them."""
    return max(later - earlier for earlier, later in pairwise(moments))
