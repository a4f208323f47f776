"""The seed decides what customers do; the answer decides what the history says of it."""

from __future__ import annotations

from collections import Counter

import pytest

from blackstart.history import Outcome
from loadgen.client import Answer, Client
from loadgen.users import (
    ACCOUNTS,
    CENTS_MAX,
    DEFAULT_MIX,
    REPEAT_EACH,
    SESSIONS,
    Choice,
    Choices,
    Customers,
    accounts_of,
    outcome,
    parse_mix,
)

UNAUTHORIZED = Answer(401, "", b"{}")


def choices(number: int, *, seed: int = 7, worker: int = 0) -> list[Choice]:
    stream = Choices(seed=seed, worker=worker, mix=parse_mix(DEFAULT_MIX))
    return [stream.next() for _ in range(number)]


def customers(mix: str = DEFAULT_MIX) -> Customers:
    client = Client("http://127.0.0.1:1", deadline_s=1)
    bank = Customers(client, Choices(seed=7, worker=0, mix=parse_mix(mix)), key_prefix="run-0-")
    for account in bank.accounts:
        bank.settle(bank.login(account), Answer(200, "", b'{"token": "old"}'))
    return bank


def test_the_same_seed_makes_the_same_choices() -> None:
    assert choices(500) == choices(500)
    assert choices(500) != choices(500, seed=8)
    assert choices(500) != choices(500, worker=1)


def test_the_mix_is_kept_and_every_choice_is_one_that_the_bank_knows() -> None:
    made = choices(20_000)
    counts = Counter(choice.endpoint for choice in made)

    assert counts["transfer"] / 20_000 == pytest.approx(0.20, abs=0.02)
    assert counts["login"] / 20_000 == pytest.approx(0.003, abs=0.002)
    assert {choice.account for choice in made} == set(accounts_of(0, 7))
    assert not [c for c in made if c.credit == c.account]
    assert {c.credit for c in made} == set(range(1, ACCOUNTS + 1))
    assert {c.cents for c in made} == set(range(1, CENTS_MAX + 1))


def test_workers_log_in_different_accounts() -> None:
    first, second = set(accounts_of(0, 7)), set(accounts_of(1, 7))

    assert (len(first), len(second), first & second) == (SESSIONS, SESSIONS, set())


def test_a_transfer_carries_its_key_and_what_it_moves() -> None:
    call = customers("transfer=1").next_call(17)

    assert call.key == "run-0-17"
    assert call.what is not None
    assert call.what[0] == call.account
    assert b"Idempotency-Key: run-0-17\r\n" in call.request
    assert b"Authorization: Bearer old\r\n" in call.request


def test_an_expired_session_is_replaced_by_the_next_arrival() -> None:
    bank = customers("balance=1")
    expired = bank.next_call(0)
    bank.settle(expired, UNAUTHORIZED)
    bank.settle(expired, UNAUTHORIZED)
    login = bank.next_call(1)

    assert (login.endpoint, login.account) == ("login", expired.account)
    assert bank.next_call(2).endpoint == "balance"

    bank.settle(login, Answer(200, "", b'{"token": "new"}'))
    renewed = next(call for call in map(bank.next_call, range(3, 2000)) if call.account == expired.account)

    assert b"Bearer new" in renewed.request


def test_a_login_that_fails_is_not_repeated_for_ever() -> None:
    bank = customers("balance=1")
    login = bank.login(bank.accounts[0])

    assert bank.settle(login, UNAUTHORIZED) == (Outcome.FAILED, "http")
    assert bank.settle(login, Answer(200, "", b"<html>")) == (Outcome.FAILED, "http")
    assert bank.next_call(0).endpoint == "balance"


def test_a_transfer_that_nobody_knows_of_is_sent_once_more_with_its_key() -> None:
    bank = customers("transfer=1")
    first = bank.next_call(0)
    bank.settle(first, Answer(0, "timeout"))
    again = bank.next_call(1)
    bank.settle(again, Answer(0, "timeout"))

    assert (again.key, again.what, again.is_repeated) == (first.key, first.what, True)
    assert bank.next_call(2).key == "run-0-2"


def test_one_of_fifty_acknowledged_transfers_is_sent_again_by_mistake() -> None:
    bank = customers("transfer=1")
    sent = []
    for seq in range(102):
        sent.append(bank.next_call(seq))
        bank.settle(sent[-1], Answer(201))

    assert [n for n, call in enumerate(sent) if call.is_repeated] == [REPEAT_EACH, 2 * REPEAT_EACH + 1]
    assert sent[REPEAT_EACH].key == sent[REPEAT_EACH - 1].key


def test_what_was_refused_is_not_sent_again() -> None:
    bank = customers("transfer=1")
    bank.settle(bank.next_call(0), Answer(422))

    assert not bank.next_call(1).is_repeated


@pytest.mark.parametrize(
    ("answer", "of_transfer", "of_balance"),
    [
        (Answer(201), (Outcome.OK, ""), (Outcome.OK, "")),
        (Answer(0, "timeout"), (Outcome.UNKNOWN, "timeout"), (Outcome.FAILED, "timeout")),
        (Answer(0, "reset"), (Outcome.UNKNOWN, "reset"), (Outcome.FAILED, "reset")),
        (Answer(0, "unresolved"), (Outcome.UNKNOWN, "unresolved"), (Outcome.FAILED, "unresolved")),
        (Answer(0, "refused"), (Outcome.FAILED, "refused"), (Outcome.FAILED, "refused")),
        (Answer(0, "dropped"), (Outcome.FAILED, "dropped"), (Outcome.FAILED, "dropped")),
        (Answer(503), (Outcome.UNKNOWN, "http"), (Outcome.FAILED, "http")),
        (Answer(422), (Outcome.FAILED, "http"), (Outcome.FAILED, "http")),
        (Answer(302), (Outcome.FAILED, "http"), (Outcome.FAILED, "http")),
    ],
)
def test_a_write_without_an_answer_is_unknown(
    answer: Answer, of_transfer: tuple[Outcome, str], of_balance: tuple[Outcome, str]
) -> None:
    assert outcome("transfer", answer) == of_transfer
    assert outcome("balance", answer) == of_balance


@pytest.mark.parametrize("text", ["", "transfer", "transfer=-1,login=2", "payment=1", "login=0", "login=x"])
def test_a_mix_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is argparse's business
        parse_mix(text)
