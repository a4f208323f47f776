"""What the load was meant to be, by what its workers announced before their first request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blackstart.history import History


def rate_per_s(history: History) -> float:
    """Return the intended arrivals per second of all workers together, as each of them announces it.

    Raises ValueError when nobody did.
    """
    announced = [float(header["rate"]) for header in history.headers if "rate" in header]
    ordered = history.event("load.start")
    if ordered and "rate" in ordered.detail:
        announced.append(float(ordered.detail["rate"]))
    if max(announced, default=0.0) <= 0:
        raise ValueError("nobody announced the rate of the load")
    return max(announced)


def is_random(history: History) -> bool:
    """Tell whether a worker announced Poisson arrivals, which come in bunches, with pauses between."""
    return any(header.get("schedule") == "poisson" for header in history.headers)


def scheduled(history: History, from_ns: int) -> float:
    """Return how many arrivals were meant to come from `from_ns` to the end of the load."""
    last_ns = int(history.requests.intended_ns[-1])
    stop = history.event("phase", name="final reads")
    if stop:  # a load that ended before it was told to should have gone on
        last_ns = max(last_ns, stop.at_ns)
    return rate_per_s(history) * max(0, last_ns - from_ns) / 1e9 + 1


def unrecorded(history: History) -> int:
    """Return how many arrivals the workers counted at their end that nobody wrote down."""
    counted = sum(int(footer.get("scheduled", 0)) for footer in history.footers)
    return max(0, counted - len(history.requests))


def unseen(history: History) -> float:
    """Return how many requests may have been sent, and answered, of which nobody knows.

    As many as were counted and not written down; without a bound when a worker was killed before it counted.
    """
    return math.inf if workers_lost(history) else unrecorded(history)


def unseen_note(history: History) -> str:
    """Return what to add to the note of a measurement that these may have made worse; empty for none."""
    many = unseen(history)
    if not many:
        return ""
    how_many = "nobody knows how many" if math.isinf(many) else f"{many:.0f}"
    return f"; {how_many} more requests were never recorded"


def workers_lost(history: History) -> int:
    """Return how many workers left no footer: killed, and their last requests with them."""
    return len(history.headers) - len(history.footers)
