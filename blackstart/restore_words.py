"""What happened in a runbook, in words: the same on the screen while it runs, and in the reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Detail = Mapping[str, Any]


def _step(detail: Detail) -> str:
    more = f": {detail['detail']}" if detail.get("detail") else ""
    return f"{detail['step']}: {detail['outcome']} in {detail['seconds']:.1f} s{more}"


def _progress(detail: Detail) -> str:
    percent = "" if detail.get("percent") is None else f"{detail['percent']:.0f}% "
    left = "" if detail.get("eta_s") is None else f", about {detail['eta_s']:.0f} s left"
    more = f": {detail['detail']}" if detail.get("detail") else ""
    return f"{detail['step']}: {percent}after {detail['elapsed_s']:.0f} s{left}{more}"


WORDS: Mapping[str, Callable[[Detail], str]] = {
    "runbook.start": lambda d: f"runbook {d['runbook'].rpartition(':')[2]}{', resumed' * d['resumed']}",
    "runbook.step": _step,
    "runbook.progress": _progress,
    "runbook.end": lambda d: f"the runbook {d['outcome']}",
    "restore.point": lambda d: f"restoring {d['recovery_point']}, of {d['restorable_utc']}",
    "restore.refused": lambda d: f"REFUSED {d['recovery_point']}: {d['why']}",
}
