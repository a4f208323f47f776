"""How long the platform took, from the fault until service held again.

Service *holds* from the first arrival whose following window (3 s at 1,000/s, 30 s at 100/s; see
`blackstart.drills.hold_s`) has 99.9 % of its arrivals answered well and 99 % of them within 200 ms, and
no later window until healing that has not. So an outage that begins late, or comes back, is not missed.

The moment lies between the last bad arrival before it and the first good one, plus one service time; an
outage that lets some requests through may have ended a few good ones later than it seems. It is looked
for twice: once doubting every bad answer that the load generator's own stalls could explain, once
trusting all of them and taking a stall for an outage. The interval spans both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from blackstart.drills import hold_s
from blackstart.verdict import Measurement, blind
from probes.instants import Span, injection
from probes.sight import LAG_NS_MAX, Sight, after_the_fault, service_time_ns

if TYPE_CHECKING:
    from blackstart.history import History
    from probes.sight import Flags, Times

FAILED_SHARE_MAX = 0.001
BAD_SHARE_MAX = 0.01
SEEN_SHARE_MIN = 0.9  # of the window's intended arrivals, or it confirms nothing
TAIL_ARRIVALS = 25  # bad arrivals closer together than this (and 250 ms) belong to the same outage
TAIL_NS_MIN = 250_000_000
LATELY_ARRIVALS = 100
CHANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class Outage:
    """From the fault until service held: that moment is no earlier and no later than these."""

    fault: Span
    held_ns_min: int
    held_ns_max: int | None  # None: it was never seen to hold
    samples: int
    stalled_ns: int


def recovery_time(history: History) -> Measurement:
    """Measure the seconds from the fault until service held."""
    outage = outage_of(history)
    if outage is None:
        return blind("s", _why_blind(history))
    fault = outage.fault
    low_s = max(0, outage.held_ns_min - fault.until_ns) / 1e9
    high_s = math.inf if outage.held_ns_max is None else (outage.held_ns_max - fault.from_ns) / 1e9
    return Measurement(low=low_s, high=high_s, unit="s", samples=outage.samples, note=_note(outage))


@lru_cache(maxsize=1)  # several probes ask about the same history in turn
def outage_of(history: History) -> Outage | None:
    """Return the outage, or None when there was no fault or nothing was seen after it."""
    sight, fault = after_the_fault(history), injection(history)
    if sight is None or fault is None or not len(sight):
        return None
    settled = _held_at_the_latest(sight)
    held_ns_max = None
    if settled is not None:
        # a fault that took effect late in its call cannot have been recovered from before the call ended
        settled = max(settled, _first_after(sight, fault.until_ns))
        held_ns_max = _surely_served_ns(sight, settled, service_time_ns(history))
    return Outage(
        fault=fault, held_ns_min=_held_at_the_earliest(sight), held_ns_max=held_ns_max,
        samples=len(sight), stalled_ns=sight.stalled_ns,
    )  # fmt: skip


def _held_at_the_earliest(sight: Sight) -> int:
    """Return the last arrival that was certainly bad before service held, else the fault itself."""
    certain = sight.bad & ~sight.doubtful
    broken = _breaks_the_hold(sight, failed=sight.failed & ~sight.doubtful, bad=certain)
    if not broken.any():
        return sight.span.from_ns
    good_again = _first_true(~certain, after=_last_true(broken))
    return int(sight.sent_ns[_last_true(certain[:good_again])])


def _surely_served_ns(sight: Sight, settled: int, service_ns: int) -> int:
    """Return when, from that arrival on, the first good one had reached the platform, at the latest.

    That was while it was being answered, within the usual service time. One that took longer may have been
    under way to the platform for longer, by as much as the generator itself may be late.
    """
    good = settled + np.flatnonzero(~sight.bad[settled : settled + LATELY_ARRIVALS])
    if not len(good):
        return int(sight.sent_ns[settled]) + service_ns
    took_ns = sight.took_ns[good]
    under_way_ns = np.where(took_ns <= service_ns, took_ns, np.minimum(took_ns, service_ns + LAG_NS_MAX))
    return int((sight.sent_ns[good] + under_way_ns).min())


def _held_at_the_latest(sight: Sight) -> int | None:
    """Return the first good arrival of a hold that was seen whole, None when there is none."""
    broken = _breaks_the_hold(sight, failed=sight.failed, bad=sight.bad) | _confirms_nothing(sight)
    good_again = _first_true(_is_whole(sight) & ~sight.bad, after=_last_true(broken))
    if good_again == len(sight):
        return None
    window_end = int(_window_ends(sight)[good_again])
    settled = max(_end_of_tail(sight, good_again, window_end), _end_of_gaps(sight, good_again, window_end))
    return settled if settled < len(sight) else None


def _breaks_the_hold(sight: Sight, *, failed: Flags, bad: Flags) -> Flags:
    """Select the arrivals whose window has too many failed or bad ones.

    A window that healing cut short is measured against the requests of a whole one.
    """
    ends = _window_ends(sight)
    arrivals = np.maximum(ends - np.arange(len(sight)), sight.rate_per_s * hold_s(sight.rate_per_s))
    too_many_failed: Flags = _count(failed, ends) > FAILED_SHARE_MAX * arrivals
    too_many_bad: Flags = _count(bad, ends) > BAD_SHARE_MAX * arrivals
    return too_many_failed | too_many_bad


def _confirms_nothing(sight: Sight) -> Flags:
    """Select the arrivals whose window was seen whole, but with too few of its arrivals."""
    arrivals = _window_ends(sight) - np.arange(len(sight))
    enough = SEEN_SHARE_MIN * sight.rate_per_s * hold_s(sight.rate_per_s)
    return _is_whole(sight) & (arrivals < enough)


def _end_of_tail(sight: Sight, good_again: int, window_end: int) -> int:
    """Return the first good arrival that comes after the outage's last stragglers, and not by chance.

    The window tolerates a few failures; those that follow the outage closely are still part of it.
    """
    near_ns = max(TAIL_NS_MIN, int(TAIL_ARRIVALS * 1e9 / sight.rate_per_s))
    bad = np.flatnonzero(sight.bad[:window_end])
    before = int(np.searchsorted(bad, good_again))
    if before == 0:
        return good_again
    apart = np.flatnonzero(np.diff(sight.sent_ns[bad[before - 1 :]]) > near_ns)
    straggler = int(bad[before - 1 + int(apart[0])] if len(apart) else bad[-1])
    settled = _first_true(~sight.bad, after=max(straggler, good_again - 1))
    return min(settled + _good_by_chance(sight, straggler), len(sight) - 1)


def _good_by_chance(sight: Sight, straggler: int) -> int:
    """Return how many good arrivals in a row the outage itself may have let through at its end."""
    lately = sight.bad[max(0, straggler + 1 - LATELY_ARRIVALS) : straggler + 1]
    let_through = 1 - float(lately[int(np.argmax(lately)) :].mean())
    return math.ceil(math.log(CHANCE) / math.log(let_through)) if let_through > 0 else 0


def _end_of_gaps(sight: Sight, good_again: int, window_end: int) -> int:
    """Return the first good arrival after the window's last gap: service may have been away in it."""
    gap = _last_true(sight.gap_after[:window_end])
    return _first_true(~sight.bad, after=gap) if gap >= good_again else good_again


def _is_whole(sight: Sight) -> Flags:
    """Select the arrivals whose window had passed when healing began."""
    whole: Flags = sight.sent_ns + _window_ns(sight) <= sight.span.until_ns
    return whole


def _window_ns(sight: Sight) -> int:
    return int(hold_s(sight.rate_per_s) * 1e9)


def _window_ends(sight: Sight) -> Times:
    """Return, for each arrival, the index of the first one after its window."""
    return np.searchsorted(sight.sent_ns, sight.sent_ns + _window_ns(sight)).astype(np.int64)


def _count(flags: Flags, ends: Times) -> Times:
    """Return how many flags are set in each arrival's window."""
    total: Times = np.append(0, np.cumsum(flags))
    counts: Times = total[ends] - total[:-1]
    return counts


def _first_after(sight: Sight, at_ns: int) -> int:
    return min(int(np.searchsorted(sight.sent_ns, at_ns)), len(sight) - 1)


def _first_true(flags: Flags, *, after: int) -> int:
    """Return the first set index beyond `after`, or the length when there is none."""
    later = flags[after + 1 :]
    return after + 1 + int(np.argmax(later)) if later.any() else len(flags)


def _last_true(flags: Flags) -> int:
    """Return the last set index, or -1."""
    return len(flags) - 1 - int(np.argmax(flags[::-1])) if flags.any() else -1


def _why_blind(history: History) -> str:
    if injection(history) is None:
        return "nothing was injected"
    return "no request was seen after the fault"


def _note(outage: Outage) -> str:
    injecting_ms = (outage.fault.until_ns - outage.fault.from_ns) / 1e6
    held = "service held" if outage.held_ns_max is not None else "service was never seen to hold"
    note = f"{held}; the injection took {injecting_ms:.0f} ms"
    if outage.stalled_ns:
        note += f"; the load generator stood still for {outage.stalled_ns / 1e6:.0f} ms"
    return note
