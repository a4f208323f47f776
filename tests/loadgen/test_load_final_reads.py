"""What is read back after a drill is all of it, or says that it is not."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from blackstart.history import History
from loadgen.final_reads import read_back

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Books:
    """A bank's ledger, behind the two reads."""

    transfers: list[list[Any]] = field(default_factory=list)
    accounts: list[list[Any]] = field(default_factory=list)
    away: int = 0  # so many answers are a 503 first
    page: int = 3
    url: str = ""

    def answer(self, target: str) -> tuple[int, Any]:
        if self.away:
            self.away -= 1
            return 503, {"error": "away"}
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path == "/reconciliation/accounts":
            return 200, {"accounts": self.accounts}
        (prefix,), after = query["prefix"], query.get("after", [""])[0]
        rows = [row for row in self.transfers if row[0].startswith(prefix) and row[0] > after]
        following = rows[self.page - 1][0] if len(rows) > self.page else None
        return 200, {"transfers": rows[: self.page], "next": following}


@pytest.fixture
def books() -> Iterator[Books]:
    books = Books(
        transfers=sorted([f"run-0-{n}", 1, 2, 10 + n, 2, True, 1000 + n] for n in range(8)),
        accounts=[[1, 100, 64, -36], [2, 100, 136, 36]],
    )
    books.transfers += [["run2-0-0", 1, 2, 5, 2, True, 1]]  # another run's, whose name begins alike

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, answer = books.answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        books.url = f"http://127.0.0.1:{server.server_port}"
        yield books
        server.shutdown()
        thread.join()


def test_every_transfer_of_the_run_and_every_account_is_read_back(books: Books, tmp_path: Path) -> None:
    assert read_back(books.url, "run", tmp_path)

    *records, last = History(tmp_path).final_reads
    transfers = [record for record in records if record["kind"] == "transfer"]

    assert last == {"kind": "complete", "transfers": 8, "accounts": 2}
    assert [record["key"] for record in transfers] == [f"run-0-{n}" for n in range(8)]
    assert transfers[3] == {
        "kind": "transfer", "key": "run-0-3", "debit": 1, "credit": 2, "cents": 13,
        "entries": 2, "entries_ok": True, "committed_at_ns": 1003,
    }  # fmt: skip
    assert records[8:] == [
        {"kind": "account", "id": 1, "opening": 100, "balance": 64, "entries_sum": -36},
        {"kind": "account", "id": 2, "opening": 100, "balance": 136, "entries_sum": 36},
    ]


def test_it_waits_for_a_bank_that_comes_back(books: Books, tmp_path: Path) -> None:
    books.away = 3

    assert read_back(books.url, "run", tmp_path)


def test_reads_that_cannot_be_finished_say_so_and_are_never_called_complete(
    books: Books, tmp_path: Path
) -> None:
    books.away = 1_000_000

    assert not read_back(books.url, "run", tmp_path, within_s=0.3)
    (only,) = History(tmp_path).final_reads
    assert only["kind"] == "incomplete"
    assert "HTTP 503" in only["why"]


def test_a_bank_that_is_not_there_leaves_incomplete_reads(tmp_path: Path) -> None:
    assert not read_back("http://127.0.0.1:1", "run", tmp_path, within_s=0.2)
    assert "refused" in History(tmp_path).final_reads[-1]["why"]


def test_a_row_that_is_not_as_agreed_leaves_incomplete_reads(books: Books, tmp_path: Path) -> None:
    books.accounts[1] = [2, 100]

    assert not read_back(books.url, "run", tmp_path, within_s=0.2)
    assert [record["kind"] for record in History(tmp_path).final_reads][-2:] == ["account", "incomplete"]
