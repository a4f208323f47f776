"""What customers and auditors see when all is well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from blackstart.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.staging.local.bank.conftest import Task, World

pytestmark = pytest.mark.local


def test_a_customer_logs_in_pays_and_sees_the_new_balance(shared: Task) -> None:
    token = shared.login(17)
    seen = shared.balance(token, 17).body
    before = seen["balance"]

    paid = shared.transfer(token, "flow-1", 17, 4, 125)

    assert paid.status == 201
    assert paid.body == {
        "key": "flow-1", "debit": 17, "credit": 4, "cents": 125, "balance": before - 125,
        "version": seen["version"] + 1,
    }  # fmt: skip
    assert paid.headers["X-Task"].startswith("task-")
    assert paid.headers["X-AZ"] == "us-east-1a"
    assert shared.balance(token, 17).body["balance"] == before - 125


def test_a_repeated_transfer_is_answered_as_the_first_time_and_moves_nothing(shared: Task) -> None:
    token = shared.login(18)
    first = shared.transfer(token, "again-1", 18, 4, 125)
    shared.transfer(token, "again-2", 18, 4, 1)

    again = shared.transfer(token, "again-1", 18, 4, 125)

    assert (again.status, again.body) == (200, first.body)
    assert shared.balance(token, 18).body["balance"] == first.body["balance"] - 1


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
def test_a_wrong_order_is_refused_and_nothing_moves(
    shared: Task, key: str, body: object, status: int
) -> None:
    token = shared.login(19)

    assert shared.ask("POST", "/transfers", body, token=token, key=key).status == status
    assert shared.balance(token, 19).body["balance"] == 1_000_000
    assert shared.ask("GET", "/transfers/bad-1").status == 404


def test_a_key_used_for_another_transfer_is_a_conflict(shared: Task) -> None:
    token = shared.login(20)
    assert shared.transfer(token, "conflict", 20, 4, 1).status == 201

    assert shared.transfer(token, "conflict", 20, 4, 2).status == 409
    assert shared.transfer(token, "conflict", 20, 5, 1).status == 409


def test_nobody_gets_in_without_pin_or_session(shared: Task) -> None:
    assert shared.ask("POST", "/login", {"account": 17, "pin": "0018"}).status == 401
    assert shared.ask("POST", "/login", {"account": 5000, "pin": "5000"}).status == 401
    assert shared.ask("POST", "/login", {"account": 17}).status == 401
    assert shared.balance("", 17).status == 401
    assert shared.balance("no such token", 17).status == 401
    assert shared.balance(shared.login(18), 17).status == 403


def test_a_session_holds_at_other_tasks_too(shared: Task, start: Callable[..., Task]) -> None:
    token = shared.login(21)

    assert start().balance(token, 21).status == 200


def test_a_balance_comes_from_the_reader_once_and_then_from_the_cache(shared: Task) -> None:
    token = shared.login(22)

    first, second = shared.balance(token, 22).body, shared.balance(token, 22).body

    assert (first.pop("source"), second.pop("source")) == ("reader", "cache")
    assert first == second == {"account": 22, "balance": 1_000_000, "version": 0}


def test_a_transfer_can_be_looked_up(shared: Task) -> None:
    shared.transfer(shared.login(23), "look/me up", 23, 4, 7)

    found = shared.ask("GET", "/transfers/look%2Fme%20up")

    assert found.status == 200
    assert found.body.pop("committed_at").startswith("20")
    assert found.body == {"key": "look/me up", "debit": 23, "credit": 4, "cents": 7}


def test_auditors_read_every_transfer_page_by_page(shared: Task) -> None:
    token = shared.login(24)
    keys = [f"audit-{n}" for n in range(5)]
    began_ns = time.time_ns()
    for key in [*keys, "audio", "auditz"]:
        shared.transfer(token, key, 24, 4, 3)

    pages, after = [], ""
    while after is not None:
        page = shared.ask("GET", f"/reconciliation/transfers?prefix=audit-&after={after}&limit=2").body
        pages.append(page["transfers"])
        after = page["next"]

    rows = [row for page in pages for row in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [row[:6] for row in rows] == [[key, 24, 4, 3, 2, True] for key in keys]
    assert all(began_ns - 10**9 < row[6] < time.time_ns() + 10**9 for row in rows)


def test_auditors_see_an_unbalanced_transfer(shared: Task, world: World) -> None:
    shared.transfer(shared.login(25), "cooked", 25, 4, 3)
    world.postgres.sql("UPDATE entries SET cents = 4 WHERE transfer_key = 'cooked' AND account = 4")

    rows = shared.ask("GET", "/reconciliation/transfers?prefix=cooked").body["transfers"]
    world.postgres.sql("UPDATE entries SET cents = 3 WHERE transfer_key = 'cooked' AND account = 4")

    assert rows[0][4:6] == [2, False]


def test_the_receipt_of_a_transfer_arrives_in_s3(shared: Task, world: World) -> None:
    paid = shared.transfer(shared.login(26), "receipt-1", 26, 4, 3)

    wait_until(lambda: paid.body in world.receipts(shared.name), within_s=5, what="the receipt")


def test_the_bank_says_that_it_is_well(shared: Task) -> None:
    assert shared.ask("GET", "/health/live").status == 200
    ready = shared.ask("GET", "/health/ready")
    assert (ready.status, ready.body) == (200, {"writer": "ok", "cache": "ok"})
    assert shared.ask("GET", "/nothing").status == 404
