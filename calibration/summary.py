"""A calibration as a whole: as JSON that a bundle can carry, and as tables for people."""

from __future__ import annotations

import platform
import statistics
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING, Any

from calibration.judge import WIDTH_MS_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.availability import Availability
    from calibration.judge import Reading
    from calibration.losses import Loss

SCHEMA = "blackstart/calibration/1"

Row = tuple[str, ...]


def build(
    readings: Sequence[Reading],
    losses: Sequence[Loss],
    availabilities: Sequence[Availability],
    failed: Sequence[str] = (),
    left: int = 0,
    *,
    codes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return everything, with the summary first. A cell that could not be run is named, never left out."""
    return {
        "schema": SCHEMA,
        "utc": datetime.now(UTC).isoformat(),
        "machine": f"{platform.node()}, {platform.platform()}",
        "code": list(codes),
        "versions": {name: version(name) for name in ("blackstart", "locust", "gevent", "numpy")},
        "summary": summary(readings, losses, availabilities, failed, left),
        "readings": [asdict(reading) for reading in readings],
        "losses": [asdict(loss) for loss in losses],
        "availability": [asdict(one) for one in availabilities],
        "not run": list(failed),
    }


def summary(
    readings: Sequence[Reading],
    losses: Sequence[Loss],
    availabilities: Sequence[Availability],
    failed: Sequence[str],
    left: int = 0,
) -> dict[str, Any]:
    """Return the counts that decide, and whether the instrument is right.

    It is when nothing is left to be run, and every truth lay in an interval as narrow as the goal asks for;
    with "wrong" at 0 it may still become so.
    """
    void = [reading for reading in readings if reading.is_void]
    readings = [reading for reading in readings if not reading.is_void]
    availabilities = [one for one in availabilities if not one.is_void]
    covered = [reading for reading in readings if reading.covered]
    wide = sum(reading.is_too_wide for reading in covered)
    wrong = len(readings) - len(covered) + wide + len(failed)
    wrong += sum(not one.right for one in losses) + sum(not one.right for one in availabilities)
    return {
        "right": bool(readings or losses or availabilities) and not wrong and not left,
        "wrong": wrong,
        "still to be run": left,
        "outages": len(readings),
        "void beside these, for the truth is not known": len(void),
        "truth covered": len(covered),
        "of them too wide, though the generator kept time": wide,
        "of them without an upper bound": sum(not reading.is_known for reading in readings),
        "generator kept time": sum(reading.kept_time for reading in readings),
        "widths": [_width(readings, rate) for rate in sorted({reading.rate for reading in readings})],
        "losses": len(losses),
        "losses right": sum(loss.right for loss in losses),
        "availabilities": len(availabilities),
        "availabilities right": sum(one.right for one in availabilities),
    }


def _width(readings: Sequence[Reading], rate: float) -> dict[str, Any]:
    """Return how wide whole outages come out under regular arrivals when the generator kept time."""
    widths = [r.width_ms for r in readings if r.rate == rate and r.is_regular and r.width_ms is not None]
    return {
        "rate": rate,
        "outages": len(widths),
        "median ms": round(statistics.median(widths), 1) if widths else None,
        "max ms": round(max(widths), 1) if widths else None,
        "goal ms": WIDTH_MS_MAX.get(rate),
        "over the goal": sum(width > WIDTH_MS_MAX.get(rate, float("inf")) for width in widths),
    }


def outage_rows(readings: Sequence[Reading]) -> list[Row]:
    """Return a row for each kind, length and rate."""
    ordered = sorted((reading for reading in readings if not reading.is_void), key=_group)
    return [_outage_row(key, list(group)) for key, group in groupby(ordered, key=_group)]


OUTAGE_HEADS: Row = (
    "outage", "true s", "rate", "covered", "unbounded", "in time", "width ms, median", "max",
    "1-s poller says s", "stock Locust says s",
)  # fmt: skip


def _group(reading: Reading) -> tuple[str, float, float, bool]:
    return reading.kind, reading.rate, reading.seconds, reading.generator_stops


def _outage_row(key: tuple[str, float, float, bool], group: list[Reading]) -> Row:
    kind, rate, seconds, stops = key
    widths = [reading.width_ms for reading in group if reading.width_ms is not None]
    return (
        f"{kind}, generator stopped" if stops else kind,
        f"{seconds:g}", f"{rate:g}", f"{sum(r.covered for r in group)}/{len(group)}",
        str(sum(not r.is_known for r in group)), str(sum(r.kept_time for r in group)),
        f"{statistics.median(widths):.1f}" if widths else "-", f"{max(widths):.1f}" if widths else "-",
        _span([r.poller_s for r in group]), _span([r.stock_s for r in group]),
    )  # fmt: skip


def _span(said: Sequence[float | None]) -> str:
    known = [value for value in said if value is not None]
    if not known:
        return "-"
    low, high = min(known), max(known)
    return f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"  # noqa: PLR2004 - reads the same


LOSS_HEADS: Row = ("books spoiled", "lost: truth", "measured", "age s: truth", "measured", "kinds", "right")


def loss_rows(losses: Sequence[Loss]) -> list[Row]:
    """Return a row for each way in which the books were spoiled."""
    return [
        (
            loss.how, str(loss.true_lost), _interval(*loss.measured_lost), f"{loss.true_age_s:.3f}",
            _interval(*loss.measured_age_s, decimals=3),
            ", ".join(f"{kind}: {n}" for kind, n in loss.measured_kinds.items()) or "none",
            "yes" if loss.right else "NO",
        )
        for loss in losses
    ]  # fmt: skip


AVAILABILITY_HEADS: Row = (
    "black hole", "rate", "bad: target", "measured", "availability: truth %", "measured %",
    "stock Locust says %", "of requests", "right",
)  # fmt: skip


def availability_rows(availabilities: Sequence[Availability]) -> list[Row]:
    """Return a row for each rate."""
    return [
        (
            f"{one.outage_s:g} s", f"{one.rate:g}", str(one.true_bad), str(one.measured_bad),
            f"{one.true_percent:.3f}", _interval(*one.measured_percent, decimals=3),
            f"{one.stock_percent:.3f}" if one.stock_percent is not None else "-", str(one.stock_requests),
            "void" if one.is_void else "yes" if one.right else "NO",
        )
        for one in availabilities
    ]  # fmt: skip


def _interval(low: float, high: float | None, decimals: int = 0) -> str:
    if high is None:
        return f"{low:.{decimals}f} or more"
    return f"{low:.{decimals}f}" if low == high else f"{low:.{decimals}f} to {high:.{decimals}f}"
