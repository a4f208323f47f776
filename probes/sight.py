"""What the load could really see, and where the load generator itself was blind.

A stalled generator samples another instant than it meant to, and mistakes its own pauses for an outage.
So arrivals that it sent late count for nothing, and bad answers that it lived through a stall with are
in doubt. So are answers that came late by no more than it may be late itself: it is no faster at reading
them than at sending, least of all when a platform wakes up and answers a thousand requests at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from blackstart.history import Requests
from probes.instants import Span, injection, measured_from_ns, unaided_until_ns
from probes.schedule import is_random, rate_per_s

if TYPE_CHECKING:
    from blackstart.history import History

GOOD_WITHIN_NS = 200_000_000  # a good answer comes within the platform's latency promise [4.3.C]
LAG_NS_MAX = 20_000_000  # sent later than this after its intended start, an arrival sampled another instant
GAP_NS_MIN = 100_000_000
GAP_ARRIVALS = 8  # a pause of so many arrivals, and of GAP_NS_MIN, is blindness and no chance
GAP_ARRIVALS_RANDOM = 20  # Poisson arrivals pause for 8 of them once in 3,000 times, for 20 never (2e-9)

Times = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Sight:
    """The arrivals in a span that were sent on time, in order of sending."""

    span: Span
    rate_per_s: float
    gap_ns: int  # a longer pause than this between two arrivals is a gap
    sent_ns: Times
    failed: Flags  # no good answer at all
    bad: Flags  # no good answer within 200 ms
    took_ns: Times  # until the answer was there, or the request was given up
    doubtful: Flags  # bad, but alive during a stall of the generator, or late by no more than it may be
    stalled_ns: int  # how long the generator stood still, all in all

    def __len__(self) -> int:
        return len(self.sent_ns)

    @property
    def gap_after(self) -> Flags:
        """After which arrivals nothing was seen for too long."""
        following = np.append(self.sent_ns[1:], self.span.until_ns)
        return following - self.sent_ns > self.gap_ns


def after_the_fault(history: History) -> Sight | None:
    """Return what was seen from the injection until healing began, None when nothing was injected."""
    fault = injection(history)
    if fault is None or not len(history.requests):
        return None
    last_arrival_ns = int(history.requests.intended_ns[-1]) + 1
    until_ns = min(unaided_until_ns(history), last_arrival_ns)
    span = Span(from_ns=fault.from_ns, until_ns=max(until_ns, fault.from_ns))
    gap_arrivals = GAP_ARRIVALS_RANDOM if is_random(history) else GAP_ARRIVALS
    return look(history.requests, span, rate_per_s(history), gap_arrivals=gap_arrivals)


def look(requests: Requests, span: Span, rate_per_s: float, *, gap_arrivals: int = GAP_ARRIVALS) -> Sight:
    """Return what was seen in the span."""
    gap_ns = max(GAP_NS_MIN, int(gap_arrivals * 1e9 / rate_per_s))
    # what was meant to start before the span and started in it proves a stall too
    earlier = requests.between(0, span.until_ns)
    stalls = _stalls(earlier.where(~earlier.started(span.from_ns - 1)), gap_ns)
    near = requests.between(span.from_ns, span.until_ns)
    usable = _by_sending(near.where(~near.dropped & (near.lag_ns <= LAG_NS_MAX)))
    bad = ~usable.ok | (usable.latency_ns > GOOD_WITHIN_NS)
    stalled_ns = stalls.within(usable.start_ns, usable.end_ns)
    doubtful = bad & ((stalled_ns > 0) | (usable.ok & (usable.latency_ns <= GOOD_WITHIN_NS + LAG_NS_MAX)))
    seen = ~(_excused(usable, bad, stalled_ns) | _cut_off(usable, bad, span))
    return Sight(
        span=span, rate_per_s=rate_per_s, gap_ns=gap_ns, sent_ns=usable.start_ns[seen],
        failed=~usable.ok[seen], bad=bad[seen], took_ns=usable.took_ns[seen].astype(np.int64),
        doubtful=doubtful[seen], stalled_ns=stalls.total_ns,
    )  # fmt: skip


def service_time_ns(history: History) -> int:
    """Return how long a good answer took before the fault (99 of 100 of them), at most 200 ms."""
    fault = injection(history)
    if fault is None:
        return GOOD_WITHIN_NS
    requests = history.requests.between(measured_from_ns(history), fault.from_ns)
    calm = requests.ok & (requests.lag_ns <= LAG_NS_MAX) & requests.ended(fault.from_ns - 1)
    if not calm.any():
        return GOOD_WITHIN_NS
    return min(GOOD_WITHIN_NS, int(np.quantile(requests.took_ns[calm], 0.99, method="higher")))


def _by_sending(requests: Requests) -> Requests:
    order = np.argsort(requests.start_ns, kind="stable")
    return Requests(**{name: getattr(requests, name)[order] for name in Requests.__dataclass_fields__})


@dataclass(frozen=True, kw_only=True)
class _Stalls:
    """The generator's pauses, disjoint and in order, as a running total over time."""

    at_ns: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]

    @property
    def total_ns(self) -> int:
        return int(self.total[-1])

    def within(self, from_ns: Times, until_ns: Times) -> npt.NDArray[np.float64]:
        """Return how much of each span was pause."""
        until = np.interp(until_ns, self.at_ns, self.total)
        return until - np.interp(from_ns, self.at_ns, self.total)


def _stalls(requests: Requests, gap_ns: int) -> _Stalls:
    sent_ns = np.sort(requests.start_ns[~requests.dropped])
    paused = np.flatnonzero(np.diff(sent_ns) > gap_ns)
    late = (requests.lag_ns > LAG_NS_MAX) & ~requests.dropped
    begins = np.concatenate([requests.intended_ns[late], sent_ns[:-1][paused]])
    ends = np.concatenate([requests.start_ns[late], sent_ns[1:][paused]])
    return _running_total(*_union(begins, ends))


def _union(begins: Times, ends: Times) -> tuple[Times, Times]:
    """Merge overlapping spans; what is left is disjoint and sorted."""
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    opens = np.append(True, begins[1:] > ends[:-1]) if len(begins) else np.zeros(0, dtype=np.bool_)
    closes = np.append(opens[1:], True) if len(begins) else opens
    return begins[opens], ends[closes]


def _running_total(begins: Times, ends: Times) -> _Stalls:
    at_ns = np.column_stack([begins, ends]).ravel().astype(np.float64)
    steps = np.column_stack([np.zeros_like(begins), ends - begins]).ravel()
    total = np.cumsum(steps).astype(np.float64)
    return _Stalls(at_ns=np.append(0.0, at_ns), total=np.append(0.0, total))


def _excused(requests: Requests, bad: Flags, stalled_ns: npt.NDArray[np.float64]) -> Flags:
    """Select bad answers that would have been good but for the generator's own pause."""
    took_ns = requests.took_ns
    return bad & (took_ns > GOOD_WITHIN_NS) & (took_ns - stalled_ns <= GOOD_WITHIN_NS)


def _cut_off(requests: Requests, bad: Flags, span: Span) -> Flags:
    """Select what went bad only after the span: healing may have broken it, not the fault."""
    return bad & (requests.end_ns > span.until_ns)
