"""Fires requests when they are due, whatever becomes of the earlier ones, and keeps the books.

The books close: every arrival that was scheduled ends as ok, failed or unknown. One that could not
be sent (too many are under way already) has failed, and one still under way at the end is written
off as unresolved; both say that the generator was at its limits.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import gevent

from loadgen.client import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadgen.client import Client
    from loadgen.users import Call, Customers

    Report = Callable[["Row", Call, Answer], None]  # is told of every request once its outcome is known

HEADROOM: Final = 1.5  # requests under way at most, as a multiple of what an outage holds: rate x deadline
_LAG_STEP_NS: Final = 100_000

Row = list[Any]  # one request in the order of columns.COLUMNS


@dataclass
class Books:
    """What became of the arrivals. `dropped` and `unresolved` are counted in failed and unknown too."""

    scheduled: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    unresolved: int = 0
    lags: Counter[int] = field(default_factory=Counter)

    def enter(self, row: Row) -> None:
        """Count one request whose outcome is known."""
        self.ended[row[4]] += 1
        self.dropped += row[5] == "dropped"
        self.unresolved += row[5] == "unresolved"
        self.lags[(row[1] - row[0]) // _LAG_STEP_NS] += 1

    def lag_p99_ns(self) -> int:
        """Return the generator's own lag that 99 of 100 requests did not exceed, to 0.1 ms."""
        left = 0.99 * self.lags.total()
        for step, requests in sorted(self.lags.items()):
            left -= requests
            if left <= 0:
                return (step + 1) * _LAG_STEP_NS
        return 0


class Dispatcher:
    """Sends a worker's requests, each in a greenlet of its own, with a bound on those under way."""

    def __init__(self, client: Client, customers: Customers, report: Report, *, bound: int) -> None:
        self.books = Books()
        self.until_ns = sys.maxsize  # the end of the schedule, once it is known
        self._client = client
        self._customers = customers
        self._report = report
        self._bound = bound
        self._under_way: dict[int, tuple[int, int, Call]] = {}  # intended start, actual start, what

    def run(self, due: Iterator[int]) -> None:
        """Fire each request of a schedule when it is due, until the schedule ends or we are killed."""
        due_ns = next(due)
        try:
            while due_ns <= self.until_ns:
                due_ns = self._fire_due(due_ns, due)
                gevent.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        except gevent.GreenletExit:
            self._fire_due(due_ns, due)  # due before the end, so it counts
            raise

    def end_schedule(self) -> None:
        """Let nothing become due from now on; what is due already is still fired."""
        self.until_ns = min(self.until_ns, time.monotonic_ns())

    def drain(self, *, within_s: float) -> None:
        """Wait for the requests under way, and write off what is left of them."""
        give_up_s = time.monotonic() + within_s
        gevent.sleep(0.005)  # for those that are due but not fired yet
        while self._under_way and time.monotonic() < give_up_s:
            gevent.sleep(0.005)
        for seq in list(self._under_way):
            self._settle(seq, Answer(0, "unresolved"))

    def _fire_due(self, due_ns: int, due: Iterator[int]) -> int:
        """Fire everything that is due by now: never skip, never start the schedule anew."""
        while due_ns <= min(time.monotonic_ns(), self.until_ns):
            self._fire(due_ns)
            due_ns = next(due)
        return due_ns

    def _fire(self, intended_ns: int) -> None:
        seq = self.books.scheduled
        self.books.scheduled += 1
        full = len(self._under_way) >= self._bound
        self._under_way[seq] = intended_ns, 0, self._customers.next_call(seq)
        if full:
            self._settle(seq, Answer(0, "dropped"))
        else:
            gevent.spawn_raw(self._attempt, seq)

    def _attempt(self, seq: int) -> None:
        intended_ns, _, call = self._under_way[seq]
        self._under_way[seq] = intended_ns, time.monotonic_ns(), call
        answer = self._client.send(call.request)
        if seq in self._under_way:  # else it came back after it was written off
            self._settle(seq, answer)

    def _settle(self, seq: int, answer: Answer) -> None:
        end_ns = time.monotonic_ns()
        intended_ns, start_ns, call = self._under_way.pop(seq)
        outcome, reason = self._customers.settle(call, answer)
        row = [
            intended_ns, start_ns or end_ns, end_ns, call.endpoint, outcome, reason, answer.status,
            call.key, call.what, answer.task, answer.az,
        ]  # fmt: skip
        self.books.enter(row)
        self._report(row, call, answer)
