"""Two small pictures, written by hand: how a recovery went against its limit, and how earlier runs went.

Plain SVG with words in it, the same bytes for the same record; black on white but for what is lost, so that
they read on paper without colour.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from reports import glance, noticed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.record import ObjectiveRecord, Record

_WIDTH, _LEFT, _RIGHT = 1000, 20, 980
_SIDE = 'font-family="sans-serif" font-size="15" fill="#222"'
_RUNS_SHOWN = 30


def recovery(record: Record) -> tuple[bytes, str] | None:
    """Return the way from the fault to service on a line, and the same in words; None when it has no end."""
    measured, promise = record["recovery"], _promise(record)
    if measured is None or measured["high"] is None or measured["low"] is None or promise is None:
        return None
    until_s = 1.15 * max(measured["high"], promise["limit"])
    marks = [("fault", 0.0), *_alarm(record), ("service held", measured["high"])]
    marks.append((f"limit {promise['limit']:g} s", promise["limit"]))
    told = "; ".join(_named(name, at_s) for name, at_s in marks)
    down = f'<rect x="{_x(0, until_s)}" y="60" width="{_x(measured["high"], until_s) - _LEFT}" height="26" '
    shapes = [
        f'<rect x="{_LEFT}" y="60" width="{_RIGHT - _LEFT}" height="26" fill="#e8e8e8"/>',
        f'{down}fill="#D55E00"/>',
        *(_mark(name, at_s, until_s, level) for level, (name, at_s) in enumerate(marks)),
    ]
    return _svg(150, shapes, f"From the fault to service: {told}"), f"From the fault to service: {told}."


def trend(record: Record) -> tuple[bytes, str] | None:
    """Return this recovery beside the earlier ones, and the same in words; None when it is the first."""
    compared = next((one for one in record["compared"] if one["name"] == "recovery time"), None)
    promise = _promise(record)
    if compared is None or compared["now"] is None or not compared["earlier"] or promise is None:
        return None
    before = [run["value"] for run in compared["earlier"]]
    values = [*before[-_RUNS_SHOWN:], compared["now"]]
    top = 1.1 * max(*values, promise["limit"])
    step = (_RIGHT - _LEFT) / len(values)
    bars = [
        _bar(_LEFT + number * step, 0.7 * step, value / top, is_now=number == len(values) - 1)
        for number, value in enumerate(values)
    ]
    at_y = _y(promise["limit"] / top)
    limit = (
        f'<line x1="{_LEFT}" y1="{at_y}" x2="{_RIGHT}" y2="{at_y}" stroke="#222" stroke-dasharray="6 4"/>'
        f'<text x="{_RIGHT}" y="{at_y - 5}" text-anchor="end" {_SIDE}>limit {promise["limit"]:g} s</text>'
    )
    told = f"Recovery time of {len(values)} runs, the oldest first; the last one, dark, is this run"
    least, most = min(values), max(values)
    return _svg(
        200, [*bars, limit], told
    ), f"{told}: {values[-1]:.2f} s; all are {least:.2f} to {most:.2f} s."


def _promise(record: Record) -> ObjectiveRecord | None:
    return next((one for one in record["objectives"] if one["measured"] == record["recovery"]), None)


def _alarm(record: Record) -> list[tuple[str, float]]:
    alarm = glance.measured(record, noticed.NAME)
    return [("first alarm", alarm["high"])] if alarm and alarm["high"] is not None else []


def _mark(name: str, at_s: float, until_s: float, level: int) -> str:
    """Return a line with its name, alternately above and below, so that neighbours do not overlap."""
    x, is_above = _x(at_s, until_s), level % 2 == 0
    y = (24 if level % 4 == 0 else 44) if is_above else (112 if level % 4 == 1 else 136)
    ends = f'y1="{y + 4}" y2="86"' if is_above else f'y1="60" y2="{y - 14}"'
    anchor = "end" if x > 0.8 * _WIDTH else "start"
    return (
        f'<line x1="{x}" x2="{x}" {ends} stroke="#222" stroke-width="2"/>'
        f'<text x="{x + (-5 if anchor == "end" else 5)}" y="{y}" text-anchor="{anchor}" {_SIDE}>'
        f"{escape(_named(name, at_s))}</text>"
    )


def _named(name: str, at_s: float) -> str:
    return name if at_s == 0 or name.startswith("limit") else f"{name} after {at_s:.2f} s"


def _bar(x: float, width: float, share: float, *, is_now: bool) -> str:
    y = _y(share)
    fill = "#222" if is_now else "#9db7c9"
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{round(190 - y, 1)}" fill="{fill}"/>'


def _x(at_s: float, until_s: float) -> float:
    return round(_LEFT + (_RIGHT - _LEFT) * at_s / until_s, 1)


def _y(share: float) -> float:
    return round(190 - 180 * share, 1)


def _svg(height: int, shapes: Sequence[str], title: str) -> bytes:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">'
    return f"{head}<title>{escape(title)}</title>{''.join(shapes)}</svg>\n".encode()
