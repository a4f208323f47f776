"""What customers see when something that the bank depends on is slow, dark, gone or back again."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from typing import TYPE_CHECKING

import pytest

from blackstart.waiting import wait_until
from staging.local.bank.app import UNDER_WAY_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.staging.local.bank.conftest import Answer, Task, World

pytestmark = pytest.mark.local

DEADLINE_S = 2.0  # of the bank's clients


def test_without_the_session_store_nobody_new_gets_in(task: Task, world: World) -> None:
    known = task.login(51)
    world.wires.darken("aws")

    assert timed(lambda: task.balance("not known to this task", 51)).status == 503
    assert timed(lambda: task.ask("POST", "/login", {"account": 52, "pin": "0052"})).status == 503
    assert task.balance(known, 51).status == 200


def test_a_dark_cache_costs_nobody_anything_for_long(task: Task, world: World) -> None:
    token = task.login(53)
    task.balance(token, 53)
    world.wires.darken("cache")

    paid = timed(lambda: task.transfer(token, "dark-cache", 53, 4, 5))
    task.line("dependency lost", dependency="cache")
    began = time.monotonic()
    shown = [task.balance(token, 53).body for _ in range(10)]

    assert paid.status == 201
    assert time.monotonic() - began < 1
    assert {(balance["balance"], balance["source"]) for balance in shown} == {(999_995, "reader")}
    assert task.ask("GET", "/health/ready").body == {"writer": "ok", "cache": "down"}

    world.wires.darken()
    wait_until(
        lambda: task.balance(token, 53).body["source"] == "cache", within_s=5, what="the cache's return"
    )
    assert task.balance(token, 53).body["balance"] == 999_995


def test_a_dark_reader_is_replaced_by_the_writer(task: Task, world: World) -> None:
    world.wires.darken("reader")

    token = task.login(54)

    assert timed(lambda: task.balance(token, 54)).body["source"] == "writer"


def test_receipts_wait_for_their_store_and_payments_do_not(task: Task, world: World) -> None:
    token = task.login(64)
    world.wires.darken("aws")

    paid = timed(lambda: task.transfer(token, "store-away", 64, 4, 1))
    task.line("dependency lost", dependency="receipt store", within_s=10)
    world.wires.darken()

    assert paid.status == 201
    wait_until(lambda: paid.body in world.receipts(task.name), within_s=15, what="the receipt")


def test_a_hung_database_is_503_in_time_and_recovers_by_itself(task: Task, world: World) -> None:
    token = task.login(55)
    task.transfer(token, "hung-before", 55, 4, 1)
    world.wires.darken("writer")

    with ThreadPoolExecutor(12) as crowd:
        pay = lambda n: timed(lambda: task.transfer(token, f"hung-{n}", 55, 4, 1))  # noqa: E731 - twice nested
        answers = list(crowd.map(pay, range(12)))

    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    assert task.ask("GET", "/health/live").status == 200
    assert timed(lambda: task.ask("GET", "/health/ready")).status == 503
    world.wires.darken()
    wait_until(lambda: task.transfer(token, "hung-after", 55, 4, 1).status < 300, within_s=5, what="recovery")


def test_a_commit_that_waits_for_its_standby_is_neither_acknowledged_nor_cancelled(
    task: Task, world: World
) -> None:
    # cancelled, it would stay unreplicated, and the retry would acknowledge what a failover then loses
    token = task.login(56)
    task.transfer(token, "standby-before", 56, 4, 1)
    world.postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    world.postgres.sql("SELECT pg_reload_conf()")
    keys = (f"standby-{number}" for number in count())
    try:
        # the reload is heard a little later
        key = wait_until(lambda: unacknowledged(task, token, next(keys)), within_s=20, what="no standby")
        retry = timed(lambda: task.transfer(token, key, 56, 4, 1))
        waiting = world.postgres.sql("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        unseen = task.ask("GET", f"/transfers/{key}")
    finally:
        world.postgres.sql("ALTER SYSTEM RESET ALL")
        world.postgres.sql("SELECT pg_reload_conf()")

    assert (retry.status, unseen.status, len(waiting)) == (503, 404, 1)
    assert wait_until(lambda: settled(task, token, key), within_s=5, what="the commit").status == 200


def unacknowledged(task: Task, token: str, key: str) -> str:
    """Pay; return the key if that was not acknowledged."""
    status = timed(lambda: task.transfer(token, key, 56, 4, 1)).status
    assert status in (201, 503)
    return key if status == 503 else ""


def test_who_comes_when_too_many_wait_already_is_told_at_once(task: Task, world: World) -> None:
    # or else everybody would wait for longer than customers do, and nobody would be served any more
    token = task.login(54)
    world.wires.darken("writer")
    with ExitStack() as stack:
        calls = [stack.enter_context(closing(payment(task, token, f"crowd-{n}"))) for n in range(700)]
        live = task.ask("GET", "/health/live").status
        answers = [call.getresponse() for call in calls]
        why = Counter(json.loads(answer.read())["error"] for answer in answers)
    world.wires.darken()

    assert live == 200
    assert {answer.status for answer in answers} == {503}
    assert 0 < why["too much at once"] <= 700 - UNDER_WAY_MAX
    wait_until(lambda: task.transfer(token, "crowd-over", 54, 4, 1).status < 300, within_s=5, what="recovery")


def payment(task: Task, token: str, key: str) -> http.client.HTTPConnection:
    """Ask for a transfer, and do not wait for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", task.port(), timeout=10)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    connection.request("POST", "/transfers", json.dumps({"debit": 54, "credit": 4, "cents": 1}), headers)
    return connection


def test_a_database_that_crashes_is_back_in_use_as_soon_as_it_is_up(task: Task, world: World) -> None:
    token = task.login(57)
    task.transfer(token, "crash-before", 57, 4, 1)
    world.postgres.crash()

    down = timed(lambda: task.transfer(token, "crash-down", 57, 4, 1))
    world.postgres.start()
    up = task.transfer(token, "crash-down", 57, 4, 1)

    assert down.status == 503
    assert up.status == 201
    task.line("dependency lost", dependency="ledger writer")


def test_a_connection_that_died_while_idle_costs_no_failed_payment(task: Task, world: World) -> None:
    token = task.login(58)
    task.transfer(token, "idle-before", 58, 4, 1)
    world.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bank'")

    assert task.transfer(token, "idle-after", 58, 4, 1).status == 201


def test_a_writer_that_became_a_reader_is_left(task: Task, world: World) -> None:
    token = task.login(59)
    task.transfer(token, "role-before", 59, 4, 1)
    before = backends(world)
    world.postgres.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    world.postgres.sql("SELECT pg_reload_conf()")
    try:
        refused = wait_until(lambda: refusal(task, token), within_s=5, what="the refusal")
    finally:
        world.postgres.sql("ALTER SYSTEM RESET ALL")
        world.postgres.sql("SELECT pg_reload_conf()")

    assert refused.status == 503
    wait_until(lambda: task.transfer(token, "role-after", 59, 4, 1).status < 300, within_s=5, what="recovery")
    assert not before & backends(world)


def test_a_new_password_is_fetched_when_the_old_one_is_refused(task: Task, world: World) -> None:
    token = task.login(60)
    secrets = world.aws("secretsmanager")
    try:
        world.postgres.sql("ALTER ROLE bank PASSWORD 'rotated'")
        secrets.put_secret_value(SecretId="ledger/password", SecretString=secret("rotated"))
        world.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bank'")

        assert task.transfer(token, "rotated", 60, 4, 1).status == 201
        task.line("ledger login refused, asking for the secret again")
    finally:
        world.postgres.sql(f"ALTER ROLE bank PASSWORD '{world.postgres.password}'")
        secrets.put_secret_value(SecretId="ledger/password", SecretString=secret(world.postgres.password))


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({"SECRET_ID": "no/such"}, "can't find the specified secret"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect"),
        ({"DEFECTS": "no-such"}, "no_such"),
        ({"LEDGER_WRITER": "nowhere"}, "invalid literal"),
    ],
)
def test_a_task_that_cannot_start_says_why_in_one_line(
    start: Callable[..., Task], environment: dict[str, str], why: str
) -> None:
    task = start(**environment)

    assert task.ended() == 1
    assert [line["event"] for line in task.lines] == ["start failed", "stopped"]
    assert why in task.lines[0]["error"]


def test_a_task_starts_without_its_database(start: Callable[..., Task], world: World) -> None:
    world.wires.darken("writer", "reader", "cache")
    task = start()

    assert task.ask("GET", "/health/live").status == 200


def test_a_task_told_to_stop_finishes_what_has_begun_and_uploads_its_receipts(
    task: Task, world: World
) -> None:
    token = task.login(61)
    world.postgres.sql(SLOW_ENTRIES)
    try:
        with ThreadPoolExecutor(1) as crowd:
            paid = crowd.submit(lambda: task.transfer(token, "in-flight", 61, 4, 1))
            wait_until(lambda: asleep(world), within_s=5, what="the transfer's statement", every_s=0.02)
            began = time.monotonic()
            assert task.stop() == 0
            assert time.monotonic() - began < 5
            answer = paid.result()
    finally:
        world.postgres.sql("DROP TRIGGER slow ON entries")

    assert answer.status == 201
    assert answer.headers["Connection"] == "close"
    assert world.receipts(task.name) == [answer.body]


def test_planted_a_pool_that_never_reconnects_stays_broken(start: Callable[..., Task], world: World) -> None:
    task = start(DEFECTS="pool-never-reconnects")
    token = task.login(62)
    task.transfer(token, "never-before", 62, 4, 1)
    world.postgres.crash()
    task.transfer(token, "never-down", 62, 4, 1)
    world.postgres.start()

    assert {timed(lambda: task.transfer(token, "never", 62, 4, 1)).status for _ in range(12)} == {503}


def test_planted_an_acknowledgement_that_does_not_wait_for_the_commit(
    start: Callable[..., Task], world: World
) -> None:
    task = start(DEFECTS="acks-before-commit")
    token = task.login(63)
    assert task.transfer(token, "early-1", 63, 4, 1).body["balance"] == 999_999
    wait_until(lambda: task.ask("GET", "/transfers/early-1").status == 200, within_s=5, what="the commit")
    world.wires.darken("writer")

    assert task.transfer(token, "early-2", 63, 4, 1).status == 201


SLOW_ENTRIES = """
CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_sleep(0.8); RETURN NULL; END $$;
CREATE TRIGGER slow AFTER INSERT ON entries FOR EACH STATEMENT EXECUTE FUNCTION slow();
"""


def timed(request: Callable[[], Answer]) -> Answer:
    began = time.monotonic()
    answer = request()
    assert time.monotonic() - began < DEADLINE_S
    return answer


def refusal(task: Task, token: str) -> Answer | None:
    answer = task.transfer(token, f"role-{time.monotonic_ns()}", 59, 4, 1)
    return answer if answer.status >= 300 else None


def settled(task: Task, token: str, key: str) -> Answer | None:
    answer = task.transfer(token, key, 56, 4, 1)
    return answer if answer.status < 300 else None


def backends(world: World) -> set[int]:
    rows = world.postgres.sql(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'bank' AND query ~ 'transfer'"
    )
    return {row["pid"] for row in rows}


def asleep(world: World) -> bool:
    return bool(world.postgres.sql("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))


def secret(password: str) -> str:
    return json.dumps({"username": "bank", "password": password})
