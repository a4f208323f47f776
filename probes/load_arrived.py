"""Whether the load really arrived: no drill proves anything about requests that nobody sent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from blackstart.verdict import Measurement, blind
from probes.instants import measured_from_ns
from probes.schedule import scheduled, unrecorded, workers_lost

if TYPE_CHECKING:
    from blackstart.history import History

LAG_NS_MAX = 1_000_000_000  # an arrival this late has not arrived; lesser lags are the other probes' affair
CHANCE = 3.0  # standard deviations of Poisson arrivals


def load_arrived(history: History) -> Measurement:
    """Measure the arrivals that were sent, within 1 s of their intended start, in percent of those intended.

    Intended are as many as the announced rate makes of the time, or as were recorded if that is more: a
    worker that died takes its arrivals with it, and they are missed here.
    """
    from_ns = measured_from_ns(history)
    requests = history.requests
    judged = requests.between(from_ns)
    if not len(judged):
        return blind("%", "no request was recorded")
    sent = int((~judged.dropped & (judged.lag_ns <= LAG_NS_MAX)).sum())
    intended = max(scheduled(history, from_ns), len(judged) + unrecorded(history))
    chance = CHANCE * math.sqrt(intended)  # a random schedule may come out this much short
    return Measurement(
        low=100 * sent / intended, high=100 * sent / max(intended - chance, len(judged)), unit="%",
        samples=len(judged), note=_note(history, sent, intended),
    )  # fmt: skip


def _note(history: History, sent: int, intended: float) -> str:
    lost = f"; {workers_lost(history)} workers were lost" if workers_lost(history) else ""
    return f"{sent} of {intended:.0f} arrivals were sent in time{lost}"
