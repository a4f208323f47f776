"""Which requests have nothing to do with the outage: neither the fault nor the healing touched them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from probes.instants import Span, measured_from_ns, securing, unaided_until_ns
from probes.recovery_time import outage_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from blackstart.history import History, Requests


@lru_cache(maxsize=1)  # several probes ask about the same history in turn
def outside(history: History) -> npt.NDArray[np.bool_]:
    """Select the requests that were certainly outside the outage, until healing began.

    A request belongs to a span if it was under way at any time in it, however early it was meant to start:
    the fault broke those that were being served. What went wrong between the earliest and the latest end
    of the outage counts for its length, so it is not held against the platform a second time. Healing is
    the drill's deed, and may shake the platform again; how it takes that is `availability_after_heal`. A
    snapshot that the drill takes for itself is its own deed too.
    """
    _, outage = outage_spans(history)
    requests = history.requests
    unaided = requests.intended_ns >= measured_from_ns(history)
    unaided &= requests.ended(unaided_until_ns(history) - 1)
    securing_span = securing(history)
    if securing_span is not None:
        unaided &= ~under_way(requests, securing_span)
    return unaided & ~under_way(requests, outage)


def outage_spans(history: History) -> tuple[Span, Span]:
    """Return the outage, supposing that service held at the earliest, and at the latest.

    Service that never held was away until somebody helped. Raises ValueError when nothing was injected,
    or nothing seen after it.
    """
    outage = outage_of(history)
    if outage is None:
        raise ValueError("there was no fault, or nothing was seen after it")
    from_ns = outage.fault.from_ns
    held_ns_max = outage.held_ns_max or max(unaided_until_ns(history), outage.held_ns_min)
    return (
        Span(from_ns=from_ns, until_ns=max(from_ns, outage.held_ns_min)),
        Span(from_ns=from_ns, until_ns=held_ns_max),
    )


def under_way(requests: Requests, span: Span) -> npt.NDArray[np.bool_]:
    """Select the requests that were meant to start, or still waiting, in the span."""
    return (requests.intended_ns <= span.until_ns) & ~requests.ended(span.from_ns - 1)
