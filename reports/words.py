"""How measurements, limits and times read: the same words on the screen, on the page and in Allure."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from reports.record import LeftRecord, MeasuredRecord, ObjectiveRecord

_DECIMALS = {"s": 3, "ms": 1, "%": 3}  # any other unit counts things
_LARGE = 100.0  # beyond this, tenths are enough

VERDICTS = {
    "PASSED": "every objective was measured and met",
    "UNKNOWN": "not proven either way",
    "FAILED": "an objective was missed",
}


def interval(measured: MeasuredRecord) -> str:
    """Return an interval in words, rounded outwards: what it reads like is never better than it is."""
    low, high, unit = measured["low"], measured["high"], measured["unit"]
    if measured.get("never"):
        return "never"
    if low is None and high is None:
        return "not measured"
    if high is None:
        return f"more than {_number(low or 0.0, unit, math.floor)} {unit}"
    if low is None:
        return f"less than {_number(high, unit, math.ceil)} {unit}"
    least, most = _number(low, unit, math.floor), _number(high, unit, math.ceil)
    return f"{most} {unit}" if low == high or least == most else f"{least} to {most} {unit}"


def within(measured: MeasuredRecord) -> str:
    """Return the upper bound of a duration to the tenth, rounded up: for those who read one number only."""
    high = measured["high"]
    if high is None:
        return "not measured"
    return f"within {math.ceil(round(high * 10, 6)) / 10:,.1f}\N{NO-BREAK SPACE}s"


def limit(objective: ObjectiveRecord) -> str:
    """Return what was promised, in words."""
    return f"{objective['bound']} {objective['limit']:,g} {objective['unit']}"


def moment(at_s: float) -> str:
    """Return a time before or after the injection."""
    return f"{at_s:+9.1f} s"


def utc_moment(utc: str | None) -> str:
    """Return an ISO instant to the second, as people write it."""
    return datetime.fromisoformat(utc).strftime("%Y-%m-%d %H:%M:%S UTC") if utc else "at an unknown time"


def utc_clock(utc: str | None) -> str:
    """Return the time of day of an ISO instant, to the millisecond; the page names the date once."""
    return datetime.fromisoformat(utc).strftime("%H:%M:%S.%f")[:-3] if utc else ""


def left(seen: LeftRecord | None) -> str:
    """Return what a drill left that costs money, and on what look that rests."""
    if seen is None:
        return "NOT KNOWN: nobody looked"
    found = ", ".join(seen["found"]) or "nothing"
    looked = f"{seen['looked_at']} databases, snapshots and restore jobs"
    return f"{found} ({looked} in {', '.join(seen['regions'])} were held against those of before)"


def headline(verdict: str, objectives: list[ObjectiveRecord], reasons: list[str]) -> str:
    """Return, in one line, why the verdict is what it is."""
    missed = [objective["name"] for objective in objectives if objective["verdict"] == verdict]
    if verdict == "PASSED" or not missed:
        return "; ".join(reasons) or VERDICTS[verdict]
    what = "missed" if verdict == "FAILED" else "not proven"
    return f"{len(missed)} of {len(objectives)} {what}: {', '.join(missed)}"


def _number(value: float, unit: str, rounding: Callable[[float], int]) -> str:
    decimals = min(_DECIMALS.get(unit, 0), 1 if value > _LARGE else 3)
    scale = 10**decimals
    rounded = rounding(round(value * scale, 6)) / scale  # 0.1 + 0.2 must not read as more than 0.3
    text = f"{rounded:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text
