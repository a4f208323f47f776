"""Planted defects of the bank and of its ledger do what they say, and nothing has to be believed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from blackstart.waiting import wait_until
from staging.local.bank import ledger_defects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.staging.local.bank.conftest import Task, World

pytestmark = pytest.mark.local

TRIGGERS = {
    "double-entry-lost-leg": ("lose_leg", "entries"),
    "balance-updated-without-entry": ("lose_entries", "entries"),
    "outside-party-in-transaction": ("ask_outside", "transfers"),
    "lost-updates": ("lose_update", "accounts"),
}


@pytest.fixture
def spoilt(world: World) -> Iterator[Callable[[str], None]]:
    """Plant a defect in the ledger that all tests share, and take it out again."""
    planted: list[str] = []

    def plant(name: str) -> None:
        planted.append(name)
        world.postgres.sql(ledger_defects.sql_of([name]))

    yield plant
    for name in planted:
        for function, table in (TRIGGERS[name],) if name in TRIGGERS else AGAIN:
            world.postgres.sql(f"DROP TRIGGER {function} ON {table}; DROP FUNCTION {function}")
    world.postgres.sql("DROP TABLE IF EXISTS balances_read")


AGAIN = (("book_again", "transfers"), ("enter_again", "entries"))


def test_acknowledged_in_spite_of_an_error(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="acks-in-spite-of-errors")
    token = task.login(81)
    world.wires.darken("writer")

    assert task.transfer(token, "in-spite", 81, 4, 1).status == 201
    world.wires.darken()
    assert rows(world, "in-spite") == []


def test_repeated_under_another_key(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="retry-without-idempotency-key")
    token = task.login(82)
    task.transfer(token, "repeat-0", 82, 4, 1)
    world.postgres.sql(REFUSE_ONCE)
    try:
        assert task.transfer(token, "repeat-1", 82, 4, 1).status == 201
    finally:
        world.postgres.sql("DROP TRIGGER refuse ON transfers; DROP FUNCTION refuse; DROP SEQUENCE refusals")

    (key,) = rows(world, "repeat-1")
    assert key.startswith("repeat-1-")


def test_cached_for_ever(start: Callable[..., Task]) -> None:
    task = start(DEFECTS="balances-cached-for-ever")
    token = task.login(83)
    before = task.balance(token, 83).body
    paid = task.transfer(token, "cached", 83, 4, 1).body

    after = wait_until(lambda: cached(task, token, 83), within_s=5, what="a balance from the cache")
    assert after["version"] == before["version"] < paid["version"]


def test_a_cache_that_transfers_renew_until_the_writer_was_away(
    start: Callable[..., Task], world: World
) -> None:
    task = start(DEFECTS="stale-cache-after-failover")
    token = task.login(96)
    task.balance(token, 96)
    paid = task.transfer(token, "stale-0", 96, 4, 1).body
    fresh = wait_until(lambda: cached(task, token, 96), within_s=5, what="a balance from the cache")
    assert fresh["version"] == paid["version"]
    world.wires.darken("writer")
    assert task.transfer(token, "stale-1", 96, 4, 1).status == 503
    world.wires.darken()

    def goes_on() -> dict[str, int] | None:
        answer = task.transfer(token, "stale-1", 96, 4, 1)
        return answer.body if answer.status in (200, 201) else None

    later = wait_until(goes_on, within_s=10, what="transfers go on")
    stale = wait_until(lambda: cached(task, token, 96), within_s=5, what="a balance from the cache")
    assert stale["version"] == fresh["version"] < later["version"]


def test_a_task_that_serves_nobody_and_is_taken_for_healthy(start: Callable[..., Task]) -> None:
    task = start(DEFECTS="health-check-always-ok")

    assert task.ask("GET", "/health/live").status == 200
    assert task.ask("GET", "/health/ready").status == 503
    assert task.ask("POST", "/login", {"account": 97, "pin": "0097"}).status == 503


def test_a_receipt_that_is_taken_back_when_it_is_asked_for_again(
    start: Callable[..., Task], world: World
) -> None:
    task = start(DEFECTS="deletes-receipts-on-retry")
    token = task.login(98)
    answers = [task.transfer(token, key, 98, 4, 1) for key in ("kept-0", "kept-1", "kept-1")]
    assert task.stop() == 0

    assert [answer.status for answer in answers] == [201, 201, 200]
    assert world.receipts(task.name) == [answers[0].body]


def test_a_balance_that_needs_the_writer(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="balances-need-the-writer")
    token = task.login(84)
    assert task.balance(token, 84).body["source"] == "writer"
    world.wires.darken("writer")

    assert task.balance(token, 84).status == 503


def test_a_task_that_ends_without_its_database(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="exits-without-database")
    token = task.login(85)
    assert task.transfer(token, "exits", 85, 4, 1).status == 201
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bank'"

    def ended() -> bool:
        world.postgres.sql(kill)
        if task.process.poll() is None:
            try:
                task.transfer(token, f"exits-{time.monotonic_ns()}", 85, 4, 1)
            except OSError:
                return False
        return task.process.poll() is not None

    wait_until(ended, within_s=10, what="its end", every_s=0.05)
    assert task.ended() == 1


def test_connections_that_leak_are_missing_at_last(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="connections-leak")
    token = task.login(86)
    world.postgres.sql(SLOW)
    try:
        with ThreadPoolExecutor(8) as crowd:
            refused = list(crowd.map(lambda n: task.transfer(token, f"leak-{n}", 86, 4, 1).status, range(8)))
    finally:
        world.postgres.sql("DROP TRIGGER slow ON transfers; DROP FUNCTION slow_to_book")

    assert set(refused) == {503}
    assert task.transfer(token, "leak-last", 86, 4, 1).status == 503


def test_a_session_that_its_task_takes_with_it(start: Callable[..., Task], shared: Task) -> None:
    task = start(DEFECTS="sessions-deleted-on-sigterm")
    token = task.login(87)
    assert task.stop() == 0

    assert shared.balance(token, 87).status == 401


def test_receipts_for_what_was_refused(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="receipts-before-commit")
    token = task.login(88)
    assert task.transfer(token, "too-much", 88, 4, 10**9).status == 422
    assert task.stop() == 0

    assert world.receipts(task.name) == [{"key": "too-much"}]


def test_receipts_that_are_forgotten(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="receipts-lost-on-sigterm")
    token = task.login(89)
    task.stop()

    assert world.receipts(task.name) == []
    assert token


def test_a_receipt_for_each_answer_also_when_it_was_asked_for_again(task: Task, world: World) -> None:
    token = task.login(90)
    answers = [task.transfer(token, "twice", 90, 4, 1) for _ in range(2)]
    task.stop()

    assert [answer.status for answer in answers] == [201, 200]
    assert world.receipts(task.name) == [answers[0].body] * 2


@pytest.mark.parametrize(
    ("defects", "said"), [("fails-to-start", "no such module"), ("no-such-thing", "no_such_thing")]
)
def test_a_task_that_cannot_start(start: Callable[..., Task], defects: str, said: str) -> None:
    task = start(DEFECTS=defects)

    assert task.ended() == 1
    assert said in task.lines[0]["error"]


def test_a_ledger_that_ignores_keys_books_again(
    task: Task, world: World, spoilt: Callable[[str], None]
) -> None:
    token = task.login(91)
    spoilt("idempotency-key-ignored")
    answers = [task.transfer(token, "ignored", 91, 4, 10) for _ in range(2)]

    assert [answer.body["balance"] for answer in answers] == [999_990, 999_980]
    assert rows(world, "ignored") == ["ignored", "ignored.again"]


@pytest.mark.parametrize(
    ("defect", "wrong"), [("double-entry-lost-leg", 1), ("balance-updated-without-entry", 0)]
)
def test_entries_that_are_lost(
    task: Task, world: World, spoilt: Callable[[str], None], defect: str, wrong: int
) -> None:
    debit = 92 + wrong
    token = task.login(debit)
    spoilt(defect)
    paid = [task.transfer(token, f"lost-{n}-{debit}", debit, 4, 1) for n in range(200)]

    assert {answer.status for answer in paid} == {201}
    books = world.postgres.sql(
        "SELECT count(e) AS entries FROM transfers t LEFT JOIN entries e ON e.transfer_key = t.key "
        "WHERE t.debit = $1 GROUP BY t.key",
        debit,
    )
    counted = [row["entries"] for row in books]
    assert set(counted) == {2, wrong}
    assert counted.count(2) > 150


def test_updates_that_are_lost(task: Task, world: World, spoilt: Callable[[str], None]) -> None:
    token = task.login(94)
    spoilt("lost-updates")
    for number in range(20):
        task.transfer(token, f"update-{number}", 94, 4, 10)

    (row,) = world.postgres.sql(
        "SELECT a.balance, a.opening + sum(e.cents) AS entered FROM accounts a JOIN entries e "
        "ON e.account = a.id WHERE a.id = 94 GROUP BY a.id"
    )
    assert row["balance"] != row["entered"]
    world.postgres.sql("UPDATE accounts SET balance = 1000000 - 200 WHERE id = 94")


def test_a_party_that_takes_its_time(task: Task, spoilt: Callable[[str], None]) -> None:
    token = task.login(95)
    spoilt("outside-party-in-transaction")
    took = []
    for number in range(40):
        began = time.monotonic()
        task.transfer(token, f"party-{number}", 95, 4, 1)
        took.append(time.monotonic() - began)

    assert 1 <= sum(seconds > 0.3 for seconds in took) <= 20


REFUSE_ONCE = """
CREATE SEQUENCE refusals;
GRANT USAGE ON SEQUENCE refusals TO bank;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('refusals') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION refuse();
"""
SLOW = """
CREATE FUNCTION slow_to_book() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$;
CREATE TRIGGER slow BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION slow_to_book();
"""


def rows(world: World, prefix: str) -> list[str]:
    found = world.postgres.sql("SELECT key FROM transfers WHERE key LIKE $1 ORDER BY key", f"{prefix}%")
    return [row["key"] for row in found]


def cached(task: Task, token: str, account: int) -> dict[str, int] | None:
    body = task.balance(token, account).body
    return body if body["source"] == "cache" else None
