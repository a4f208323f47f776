"""What happened when, in sentences, counted from the injection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.restore_words import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.history import Event, History

Detail = dict[str, Any]


def zero_ns(history: History) -> int:
    """Return the instant from which the reports count: the injection, else the first thing that happened."""
    injected = history.event("inject.start")
    if injected:
        return injected.at_ns
    if history.events:
        return history.events[0].at_ns
    return int(history.requests.intended_ns[0]) if len(history.requests) else 0


def since_zero_s(history: History, at_ns: int) -> float:
    """Return an instant in seconds, to the millisecond."""
    return round((at_ns - zero_ns(history)) / 1e9, 3)


def sentence(event: Event) -> str:
    """Say in a few words what an event was; of a kind that is new here, what it holds."""
    try:
        return _SENTENCES[event.kind](event.detail)
    except (KeyError, TypeError):
        detail = ", ".join(f"{name} {value}" for name, value in event.detail.items())
        return f"{event.kind}: {detail}" if detail else event.kind


def _short(fault: str) -> str:
    """Return `SubnetBlackhole` for `faults.subnet_blackhole:SubnetBlackhole`."""
    return fault.rpartition(":")[2]


def _steady(detail: Detail) -> str:
    left = detail.get("detail") or []
    why = "; ".join(map(str, left)) if isinstance(left, list) else str(left)
    whole = "whole" if detail["ok"] else f"NOT whole: {why}"
    return f"staging is {whole} {detail.get('when', '')} the drill".replace("  ", " ")


_SENTENCES: dict[str, Callable[[Detail], str]] = {
    "phase": lambda d: f"phase: {d['name']}",
    "inject.start": lambda d: f"injecting {_short(d['fault'])} into {', '.join(d.get('targets', ()))}",
    "inject.end": lambda d: f"injected {_short(d['fault'])}",
    "bite": lambda d: f"{'it bit' if d['confirmed'] else 'NO BITE'}: {d['evidence']}",
    "service.held": lambda _: "the conductor saw service hold",
    "limit.passed": lambda _: "the limit of the drill passed, and service did not hold",
    "heal.start": lambda d: f"healing {_short(d.get('fault', 'staging'))}",
    "heal.end": lambda d: d.get("outcome", "healed"),
    "alarm": lambda d: f"alarm {d['name']}: {d['state']}",
    "notification": lambda d: f"notified {d.get('topic', '')}: {d.get('subject', '')}",
    "read.back": lambda d: f"read back into {d['file']}: {d['bytes']:,} bytes, SHA-256 {d['sha256'][:16]}",
    "stopped": lambda d: f"STOPPED: {d['reason']}",
    "steady": _steady,
    "left": lambda d: (
        f"left running: {', '.join(d['found']) or 'nothing'}, of {d['looked_at']} that cost money"
    ),
    "aws.call": lambda d: f"called {d['call']}: HTTP {d['status']}, request {d['request_id']}",
    "doubt": lambda d: f"NOT PROVEN: {d['reason']}",
    "load.start": lambda d: f"load on: {d['rate']:,g} requests/s" if "rate" in d else "load on",
    "load.stop": lambda _: "load off",
    "observation": lambda d: f"{d['name']}: {d['value']}",
    "alarms.watched": lambda d: f"watching {len(d['names'])} alarms",
    "alarms.unwatched": lambda _: "alarms are watched no more",
    "watch.blind": lambda d: f"the watch was blind: {d['error']}",
    "watchdog": lambda d: f"the watchdog found: {d['found']}",
    "watchdog.failed": lambda d: f"the watchdog could not heal yet: {d['error']}",
    "watchdog.end": lambda d: f"the watchdog: {d['outcome']}",
    "snapshot": lambda d: f"took a snapshot of {len(d['state'])} things that must be as they were",
    "secure.start": lambda d: f"making the way back from {_short(d['fault'])}",
    "secure.end": lambda d: f"the way back from {_short(d['fault'])} is made",
    "bug": lambda d: f"the bug wrote {len(d['accounts'])} balances and deleted {len(d['deleted'])} transfers",
    "damage": lambda d: f"damaged {d['recovery_point']}: {d['said']}",
    **WORDS,
}
