"""When the drill's own deeds took place: measuring began, the fault came, it was healed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blackstart.history import History


@dataclass(frozen=True, kw_only=True)
class Span:
    """A closed interval of time, in nanoseconds of the host's monotonic clock."""

    from_ns: int
    until_ns: int


def injection(history: History) -> Span | None:
    """Return the span in which the fault came, or None when nothing was injected.

    The call took a while and the fault came somewhere in between. A call whose end nobody wrote down
    may have taken effect at any time.
    """
    start = history.event("inject.start")
    if start is None:
        return None
    end = history.event("inject.end")
    return Span(from_ns=start.at_ns, until_ns=end.at_ns if end else watched_until_ns(history))


def securing(history: History) -> Span | None:
    """Return the span in which the drill made its own way back, before it broke anything, if it did."""
    start, fault = history.event("secure.start"), injection(history)
    if start is None:
        return None
    return Span(from_ns=start.at_ns, until_ns=fault.from_ns if fault else watched_until_ns(history))


def healing(history: History) -> Span | None:
    """Return the span in which staging was put back, or None when it was not."""
    starts = [event.at_ns for event in history.events if event.kind == "heal.start"]
    ends = [event.at_ns for event in history.events if event.kind == "heal.end"]
    if not starts:
        return None
    return Span(from_ns=starts[0], until_ns=max(ends, default=watched_until_ns(history)))


def measured_from_ns(history: History) -> int:
    """Return when measuring began: with the baseline, for the warm-up is nobody's promise."""
    baseline = history.event("phase", name="baseline")
    if baseline:
        return baseline.at_ns
    return int(history.requests.intended_ns[0]) if len(history.requests) else 0


def unaided_until_ns(history: History) -> int:
    """Return until when the platform was left alone with the fault: healing, or the end of the load."""
    after = [e.at_ns for e in history.events if e.kind == "heal.start" or _is_phase_after_observing(e.detail)]
    return min([*after, watched_until_ns(history)])


def watched_until_ns(history: History) -> int:
    """Return the last instant of which the history says anything."""
    return max([history.last_end_ns, *(event.at_ns for event in history.events[-1:])])


def recovered(history: History) -> bool:
    """Tell whether people recovered by a runbook: else the drill itself put back what is read back."""
    return history.event("runbook.end", outcome="finished") is not None


def at_utc(history: History, utc: str) -> int:
    """Return an instant of the wall clock on the host's monotonic clock, which the events pair.

    Raises ValueError for a history without events.
    """
    if not history.events:
        raise ValueError("no event says how the clocks compare")
    moment = datetime.fromisoformat(utc)
    # the nearest pair: the wall clock may have been set in between
    apart = {event.at_ns: moment - datetime.fromisoformat(event.utc) for event in history.events}
    near_ns = min(apart, key=lambda at_ns: abs(apart[at_ns]))
    return near_ns + round(apart[near_ns].total_seconds() * 1e9)


def _is_phase_after_observing(detail: dict[str, object]) -> bool:
    return detail.get("name") in {"heal", "aftermath", "final reads"}
