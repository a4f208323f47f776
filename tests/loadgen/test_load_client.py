"""The client tries once, gives up in time, and never takes one answer for another."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import gevent
import pytest

from loadgen.client import Answer, Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.loadgen.target import Target


@pytest.fixture
def client(target: Target) -> Iterator[Client]:
    client = Client(target.url, deadline_s=0.3)
    yield client
    client.close()


def ask(client: Client, path: str = "/accounts/1/balance") -> Answer:
    return client.send(client.compose("GET", path))


def test_an_answer_says_who_gave_it(client: Client) -> None:
    answer = ask(client)

    assert (answer.status, answer.reason, answer.task, answer.az) == (200, "", "task-1", "us-east-1a")
    assert b"balance" in answer.body


def test_a_connection_is_used_again(client: Client, target: Target) -> None:
    assert [ask(client).status for _ in range(5)] == [200] * 5
    assert target.connections == 1


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("hang", (0, "timeout")),
        ("503", (503, "")),
        ("reset", (0, "reset")),
        ("half", (0, "reset")),
        ("junk", (0, "reset")),
    ],
)
def test_whatever_happens_it_tries_exactly_once(
    client: Client, target: Target, mode: str, expected: tuple[int, str]
) -> None:
    target.mode = mode

    assert ask(client)[:2] == expected
    assert len(target.requests) == 1


def test_a_closed_port_refuses(client: Client, target: Target) -> None:
    target.refuse()
    answer = ask(client)
    target.open()

    assert answer[:2] == (0, "refused")


def test_the_deadline_spans_connect_send_and_read() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:  # a full backlog: packets vanish
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        client = Client(f"http://127.0.0.1:{full.getsockname()[1]}", deadline_s=0.2)
        began = time.monotonic()

        assert ask(client)[:2] == (0, "timeout")
        assert 0.19 < time.monotonic() - began < 2
        for filler in fillers:
            filler.close()


def test_a_late_answer_is_never_taken_for_the_next_one(client: Client, target: Target) -> None:
    target.delay_s = 0.4
    assert ask(client, "/accounts/1/balance")[:2] == (0, "timeout")
    target.delay_s = 0
    target.mode = "503"

    assert ask(client)[:2] == (503, "")
    assert target.connections == 2


def test_a_connection_closed_while_idle_is_not_used_again(client: Client, target: Target) -> None:
    ask(client)
    target.close_idle()

    assert ask(client).status == 200
    assert (target.connections, len(target.requests)) == (2, 2)


def test_a_server_that_closes_after_its_answer_is_obeyed(client: Client, target: Target) -> None:
    target.mode = "close"

    assert [ask(client).status for _ in range(3)] == [200] * 3
    assert target.connections == 3


def test_a_base_url_may_have_a_name_and_a_path(target: Target) -> None:
    client = Client(f"http://localhost:{target.port}/v1/", deadline_s=2)

    assert ask(client).status == 200
    assert target.requests[-1][1] == "/v1/accounts/1/balance"
    client.close()


def test_a_name_that_does_not_resolve_is_a_refusal() -> None:
    assert ask(Client("http://nobody.invalid:1", deadline_s=5))[:2] == (0, "refused")


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:80", "http://", ""])
def test_a_base_url_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Client(url, deadline_s=1)


def test_the_first_requests_to_a_name_all_wait_for_its_address(target: Target) -> None:
    client = Client(f"http://localhost:{target.port}", deadline_s=5)
    asked = [gevent.spawn(ask, client) for _ in range(8)]
    gevent.joinall(asked)

    assert [greenlet.value.status for greenlet in asked] == [200] * 8
    client.close()
