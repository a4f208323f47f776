"""What customers and auditors see when all is well."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from blackstart.waiting import wait_until

if TYPE_CHECKING:
    from tests.staging.local.bank.conftest import Task, World

pytestmark = pytest.mark.local


def test_a_customer_logs_in_pays_and_sees_the_new_balance(task: Task) -> None:
    token = task.login(17)
    before = task.balance(token, 17).body["balance"]

    paid = task.transfer(token, "flow-1", 17, 4, 125)

    assert paid.status == 201
    assert paid.body == {"key": "flow-1", "debit": 17, "credit": 4, "cents": 125, "balance": before - 125}
    assert paid.headers["X-Task"].startswith("task-")
    assert paid.headers["X-AZ"] == "us-east-1a"
    assert task.balance(token, 17).body["balance"] == before - 125


def test_a_repeated_transfer_is_answered_as_the_first_time_and_moves_nothing(task: Task) -> None:
    token = task.login(18)
    first = task.transfer(token, "again-1", 18, 4, 125)
    task.transfer(token, "again-2", 18, 4, 1)

    again = task.transfer(token, "again-1", 18, 4, 125)

    assert (again.status, again.body) == (200, first.body)
    assert task.balance(token, 18).body["balance"] == first.body["balance"] - 1


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("", {"debit": 19, "credit": 4, "cents": 1}, 400),
        ("bad-1", {"debit": 19, "credit": 4}, 400),
        ("bad-1", {"debit": 19, "credit": 4, "cents": 0}, 400),
        ("bad-1", {"debit": 19, "credit": 4, "cents": 1.5}, 400),
        ("bad-1", {"debit": 19, "credit": 4, "cents": True}, 400),
        ("bad-1", {"debit": 19, "credit": 19, "cents": 1}, 400),
        ("bad-1", {"debit": 19, "credit": 2**31, "cents": 1}, 400),
        ("bad-1", ["debit"], 400),
        ("bad-1", {"debit": 4, "credit": 19, "cents": 1}, 403),
        ("bad-1", {"debit": 19, "credit": 4, "cents": 10**9}, 422),
        ("bad-1", {"debit": 19, "credit": 1001, "cents": 1}, 422),
    ],
)
def test_a_wrong_order_is_refused_and_nothing_moves(task: Task, key: str, body: object, status: int) -> None:
    token = task.login(19)

    assert task.ask("POST", "/transfers", body, token=token, key=key).status == status
    assert task.balance(token, 19).body["balance"] == 1_000_000
    assert task.ask("GET", "/transfers/bad-1").status == 404


def test_a_key_used_for_another_transfer_is_a_conflict(task: Task) -> None:
    token = task.login(20)
    assert task.transfer(token, "conflict", 20, 4, 1).status == 201

    assert task.transfer(token, "conflict", 20, 4, 2).status == 409
    assert task.transfer(token, "conflict", 20, 5, 1).status == 409


def test_nobody_gets_in_without_pin_or_session(task: Task) -> None:
    assert task.ask("POST", "/login", {"account": 17, "pin": "0018"}).status == 401
    assert task.ask("POST", "/login", {"account": 5000, "pin": "5000"}).status == 401
    assert task.ask("POST", "/login", {"account": 17}).status == 401
    assert task.balance("", 17).status == 401
    assert task.balance("no such token", 17).status == 401
    assert task.balance(task.login(18), 17).status == 403


def test_a_session_holds_at_other_tasks_too(task: Task, start: type[Task]) -> None:
    token = task.login(21)

    assert start().balance(token, 21).status == 200


def test_a_balance_comes_from_the_reader_once_and_then_from_the_cache(task: Task) -> None:
    token = task.login(22)

    first, second = task.balance(token, 22).body, task.balance(token, 22).body

    assert (first.pop("source"), second.pop("source")) == ("reader", "cache")
    assert first == second == {"account": 22, "balance": 1_000_000, "version": 0}


def test_a_transfer_can_be_looked_up(task: Task) -> None:
    task.transfer(task.login(23), "look/me up", 23, 4, 7)

    found = task.ask("GET", "/transfers/look%2Fme%20up")

    assert found.status == 200
    assert found.body.pop("committed_at").startswith("20")
    assert found.body == {"key": "look/me up", "debit": 23, "credit": 4, "cents": 7}


def test_auditors_read_every_transfer_page_by_page(task: Task) -> None:
    token = task.login(24)
    keys = [f"audit-{n}" for n in range(5)]
    began_ns = time.time_ns()
    for key in [*keys, "audio", "auditz"]:
        task.transfer(token, key, 24, 4, 3)

    pages, after = [], ""
    while after is not None:
        page = task.ask("GET", f"/reconciliation/transfers?prefix=audit-&after={after}&limit=2").body
        pages.append(page["transfers"])
        after = page["next"]

    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row[:6] for row in rows] == [[key, 24, 4, 3, 2, True] for key in keys]
    assert all(began_ns - 10**9 < row[6] < time.time_ns() + 10**9 for row in rows)


def test_auditors_see_an_unbalanced_transfer(task: Task, world: World) -> None:
    task.transfer(task.login(25), "cooked", 25, 4, 3)
    world.postgres.sql("UPDATE entries SET cents = 4 WHERE transfer_key = 'cooked' AND account = 4")

    rows = task.ask("GET", "/reconciliation/transfers?prefix=cooked").body["transfers"]
    world.postgres.sql("UPDATE entries SET cents = 3 WHERE transfer_key = 'cooked' AND account = 4")

    assert rows[0][4:6] == [2, False]


def test_the_receipt_of_a_transfer_arrives_in_s3(task: Task, world: World) -> None:
    paid = task.transfer(task.login(26), "receipt-1", 26, 4, 3)
    s3 = world.aws("s3")

    def receipts() -> list[object]:
        held = s3.list_objects_v2(Bucket="receipts", Prefix="receipts/").get("Contents", [])
        mine = [page["Key"] for page in held if paid.headers["X-Task"] in page["Key"]]
        bodies = [s3.get_object(Bucket="receipts", Key=key)["Body"].read() for key in mine]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    assert wait_until(receipts, within_s=5, what="the receipt") == [paid.body]


def test_the_bank_says_that_it_is_well(task: Task) -> None:
    assert task.ask("GET", "/health/live").status == 200
    ready = task.ask("GET", "/health/ready")
    assert (ready.status, ready.body) == (200, {"writer": "ok", "cache": "ok"})
    assert task.ask("GET", "/nothing").status == 404
