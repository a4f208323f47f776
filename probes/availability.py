"""How many of the intended requests were answered well: outside the outage, during it, after healing.

An arrival that could not be sent, and one whose outcome nobody knows, was not answered well.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from blackstart.history import ENDPOINTS
from blackstart.verdict import Measurement, blind
from probes.instants import healing, measured_from_ns
from probes.outside import outage_spans, outside, under_way
from probes.proportion import share
from probes.schedule import scheduled

if TYPE_CHECKING:
    import numpy.typing as npt

    from blackstart.history import History

READS_MIN = 500  # with one failure among them, 99 % is proven at 95 % confidence (473 are needed)


def availability_outside(history: History) -> Measurement:
    """Measure the availability outside the outage and the healing, in percent."""
    return _share(history, outside(history))


def availability_after_heal(history: History) -> Measurement:
    """Measure the availability from the start of healing to the end of the load, in percent."""
    healed = healing(history)
    if healed is None:
        return blind("%", "nothing was healed")
    return _share(history, history.requests.intended_ns >= healed.from_ns)


def reads_during_outage(history: History) -> Measurement:
    """Measure the availability of balances from the fault until service held, in percent.

    But of `READS_MIN` of them at least: a shorter outage holds too few to say anything.
    """
    _, outage = outage_spans(history)
    requests = history.requests
    is_balance = np.equal(requests.endpoint, ENDPOINTS.index("balance"))
    during = np.flatnonzero(is_balance & under_way(requests, outage))
    first = int(np.searchsorted(requests.intended_ns, outage.until_ns, side="right"))
    later = first + np.flatnonzero(is_balance[first:])[: max(0, READS_MIN - len(during))]
    asked = np.append(during, later)
    return share(requests.ok[asked], requests.intended_ns[asked])


def availability_overall(history: History) -> Measurement:
    """Measure the availability of the whole drill, outage and all, in percent.

    A count and no estimate, for one outage says nothing about the next: the interval is as wide as the
    number of arrivals that nobody recorded.
    """
    requests, from_ns = history.requests, measured_from_ns(history)
    judged = requests.between(from_ns)
    if not len(judged):
        return blind("%", "no request was recorded")
    good, asked = int(judged.ok.sum()), len(judged)
    lost = max(0.0, scheduled(history, from_ns) - asked)
    return Measurement(
        low=100 * good / (asked + lost), high=100 * (good + lost) / (asked + lost), unit="%",
        samples=asked, note=f"{asked - good} of {asked} requests were not answered well, outage and all",
    )  # fmt: skip


def availability_throughout(history: History) -> Measurement:
    """Measure what availability the whole drill shows, outage and all, in percent, with its confidence.

    Unlike `availability_overall` this says what to expect of more such requests: a claim. Arrivals that
    nobody recorded count as failed for the lower bound, and not at all for the upper one.
    """
    requests, from_ns = history.requests, measured_from_ns(history)
    judged = requests.between(from_ns)
    known = share(judged.ok, judged.intended_ns)
    if not len(judged):
        return known
    lost = int(max(0.0, scheduled(history, from_ns) - len(judged)))
    at_worst = share(
        np.append(judged.ok, np.zeros(lost, dtype=np.bool_)),
        np.append(judged.intended_ns, np.repeat(judged.intended_ns[-1:], lost)),
    )
    return replace(at_worst, high=known.high, samples=known.samples)


def _share(history: History, mask: npt.NDArray[np.bool_]) -> Measurement:
    requests = history.requests  # only two of its columns are needed
    return share(requests.ok[mask], requests.intended_ns[mask])
