"""Money neither appears nor vanishes, whoever asks for what at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.staging.local.bank.conftest import Task

pytestmark = pytest.mark.local


def test_one_key_twenty_times_at_once_is_one_transfer(shared: Task) -> None:
    token = shared.login(31)

    with ThreadPoolExecutor(20) as crowd:
        paid = list(crowd.map(lambda _: shared.transfer(token, "crowd", 31, 32, 10), range(20)))

    assert sorted(answer.status for answer in paid) == [200] * 19 + [201]
    assert {answer.body["balance"] for answer in paid} == {999_990}
    assert account(shared, 31) == [31, 1_000_000, 999_990, -10]


def test_random_transfers_at_once_conserve_money_and_never_deadlock(shared: Task) -> None:
    accounts = range(41, 47)  # few, so that they often meet
    tokens = {number: shared.login(number) for number in accounts}
    choice = Random(7)  # noqa: S311 - shuffles orders, hides nothing
    orders = [(f"random-{n}", *choice.sample(accounts, 2), choice.randrange(1, 500_000)) for n in range(200)]

    with ThreadPoolExecutor(12) as crowd:
        paid = list(crowd.map(lambda order: shared.transfer(tokens[order[1]], *order), orders))

    assert {answer.status for answer in paid} <= {201, 422}
    books = [account(shared, number) for number in accounts]
    assert sum(balance for _, _, balance, _ in books) == len(accounts) * 1_000_000
    assert all(opening + entries == balance for _, opening, balance, entries in books)
    committed = shared.ask("GET", "/reconciliation/transfers?prefix=random-").body["transfers"]
    assert {row[0] for row in committed} == {a.body["key"] for a in paid if a.status == 201}
    shown = [shared.balance(tokens[number], number).body["balance"] for number in accounts]
    assert shown == [balance for _, _, balance, _ in books]


def account(shared: Task, number: int) -> list[int]:
    books = shared.ask("GET", "/reconciliation/accounts").body["accounts"]
    assert len(books) == 1000
    return list(books[number - 1])
