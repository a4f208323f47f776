"""Every arrival is fired when it is due, once, whatever becomes of the others; the books close."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from loadgen.arrivals import Schedule, due_times
from loadgen.client import Client
from loadgen.dispatch import Dispatcher, Row
from loadgen.users import Choices, Customers, parse_mix, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.loadgen.target import Target


@dataclass
class Load:
    """The load without Locust: one user, and its rows in a list."""

    target: Target
    mix: str = "transfer=1,balance=1"
    rate: float = 60.0
    deadline_s: float = 0.5
    bound: int = 1000
    rows: list[Row] = field(default_factory=list)

    def start(self) -> None:
        self.client = Client(self.target.url, deadline_s=self.deadline_s)
        customers = Customers(
            self.client, Choices(seed=1, worker=0, mix=parse_mix(self.mix)), key_prefix="r-0-"
        )
        for account in customers.accounts:
            customers._tokens[account] = "token"
        self.dispatcher = Dispatcher(self.client, customers, self._keep, bound=self.bound)
        self.start_ns = time.monotonic_ns()
        self.greenlet = gevent.spawn(self.dispatcher.run, self.due())

    def due(self) -> Iterator[int]:
        random = stream(1, "arrivals")
        return due_times(Schedule.STRATIFIED, rate=self.rate, start_ns=self.start_ns, random=random)

    def stop(self, within_s: float = 5.0) -> None:
        self.dispatcher.end_schedule()
        self.dispatcher.drain(within_s=within_s)
        self.greenlet.kill()
        self.client.close()

    def scheduled(self, more: int = 0) -> list[int]:
        due = self.due()
        return [next(due) for _ in range(len(self.rows) + more)]

    def _keep(self, row: Row, *_: Any) -> None:
        self.rows.append(row)


@pytest.fixture
def load(target: Target) -> Load:
    return Load(target)


def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        gevent.sleep(0.005)


def books(load: Load) -> tuple[int, int, int, int]:
    kept = load.dispatcher.books
    return kept.scheduled, kept.ended["ok"], kept.ended["failed"], kept.ended["unknown"]


def test_an_outage_loses_exactly_the_arrivals_that_fell_into_it(load: Load, target: Target) -> None:
    load.start()
    until(lambda: len(target.requests) >= 20)
    target.mode = "hang"
    until(lambda: target.unanswered >= 60)  # a second of it
    target.mode = "well"
    answered = len(load.rows)
    until(lambda: len(load.rows) >= answered + 40)
    load.stop()
    lost = [row for row in load.rows if row[4] != "ok"]

    assert len(lost) == target.unanswered
    assert {(row[3], row[4], row[5]) for row in lost} == {
        ("transfer", "unknown", "timeout"),
        ("balance", "failed", "timeout"),
    }
    assert all(row[2] - row[1] >= 0.49e9 for row in lost)


def test_every_arrival_of_the_schedule_is_sent_once_and_the_books_close(load: Load, target: Target) -> None:
    load.start()
    until(lambda: len(load.rows) >= 30)
    load.stop()
    scheduled, ok, failed, unknown = books(load)

    assert sorted(row[0] for row in load.rows) == load.scheduled()
    assert load.scheduled()[-1] <= load.dispatcher.until_ns
    assert (scheduled, failed, unknown) == (ok, 0, 0)
    assert len(target.requests) == scheduled == len(load.rows)
    assert sorted(target.keys()) == sorted(row[7] for row in load.rows if row[7])
    assert all(row[1] >= row[0] and row[2] >= row[1] for row in load.rows)


def test_a_generator_that_was_held_up_fires_everything_it_missed(load: Load, target: Target) -> None:
    load.start()
    until(lambda: len(load.rows) >= 5)
    held_up_until = time.monotonic() + 0.3
    while time.monotonic() < held_up_until:
        pass  # the whole loop stands still, as in a garbage collection
    until(lambda: len(load.rows) >= 40)
    load.stop()

    assert sorted(row[0] for row in load.rows) == load.scheduled()
    assert max(row[1] - row[0] for row in load.rows) > 0.2e9  # and says how late it was
    assert load.dispatcher.books.lag_p99_ns() > 0.2e9
    assert len(target.requests) == len(load.rows)


def test_an_arrival_beyond_the_bound_is_counted_as_failed(load: Load, target: Target) -> None:
    load.bound = 10
    target.mode = "hang"
    load.start()
    until(lambda: load.dispatcher.books.dropped >= 5)
    load.stop()
    dropped = [row for row in load.rows if row[5] == "dropped"]
    scheduled, ok, failed, unknown = books(load)

    assert {row[4] for row in dropped} == {"failed"}
    assert len(dropped) == load.dispatcher.books.dropped
    assert scheduled == ok + failed + unknown == len(target.requests) + len(dropped)


def test_what_outlives_the_end_is_written_off_once(load: Load, target: Target) -> None:
    load.deadline_s = 0.4
    target.mode = "hang"
    load.start()
    until(lambda: target.unanswered >= 5)
    load.stop(within_s=0)
    scheduled, ok, failed, unknown = books(load)
    gevent.sleep(load.deadline_s + 0.1)  # the requests end after all, and are not counted again

    assert load.dispatcher.books.unresolved > 0
    assert (scheduled, ok, failed, unknown) == books(load)
    assert scheduled == failed + unknown == len(load.rows)


@pytest.mark.parametrize(
    ("mode", "of_transfer"), [("503", "unknown"), ("reset", "unknown"), ("401", "failed")]
)
def test_a_bad_answer_ends_a_transfer_as_its_kind_deserves(
    load: Load, target: Target, mode: str, of_transfer: str
) -> None:
    target.mode = mode
    load.start()
    until(lambda: len(load.rows) >= 20)
    load.stop()

    assert {row[4] for row in load.rows if row[3] == "transfer"} == {of_transfer}
    assert {row[4] for row in load.rows if row[3] == "balance"} <= {"failed"}


def test_a_killed_user_still_fires_what_was_due(load: Load, target: Target) -> None:
    load.start()
    until(lambda: len(load.rows) >= 5)
    held_up_until = time.monotonic() + 0.2
    while time.monotonic() < held_up_until:
        pass
    killed_ns = time.monotonic_ns()
    load.greenlet.kill()
    load.stop()
    *fired, following = load.scheduled(more=1)

    assert sorted(row[0] for row in load.rows) == fired
    assert following > killed_ns
    assert len(target.requests) == len(load.rows)
