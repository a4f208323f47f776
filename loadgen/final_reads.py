"""Reads back, after a drill, every transfer of the run and every balance, into `final.jsonl`.

One object per record, and last of all `{"kind": "complete", ...}`: without that line nobody may
conclude that a transfer is gone. What could not be read ends in `{"kind": "incomplete", "why"}`.
"""

from __future__ import annotations

import os
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import quote, urlsplit

import orjson
from tenacity import Retrying, retry_if_exception_type, wait_exponential

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE: Final = 5000
ANSWER_WITHIN_S: Final = 10.0

Record = dict[str, Any]


class ReadError(Exception):
    """The bank did not answer a reconciliation read, or not as agreed."""


def read_back(base_url: str, run_id: str, history: Path, *, within_s: float = 60.0) -> bool:
    """Write the run's final reads into the history; return whether they are complete.

    To be called when the load has stopped and service holds: both reads are repeated until they
    succeed or the time is up.
    """
    bank = _Bank(base_url, within_s)
    with (history / "final.jsonl").open("wb") as file:
        last = _write_all(file, bank, f"{run_id}-")
        file.write(_line(last))
        file.flush()
        os.fsync(file.fileno())
    return bool(last["kind"] == "complete")


def _write_all(file: BinaryIO, bank: _Bank, prefix: str) -> Record:
    """Write each record as it comes; return the line that says whether these are all."""
    written = {"transfers": 0, "accounts": 0}
    try:
        for record in bank.transfers(prefix):
            file.write(_line(record))
            written["transfers"] += 1
        for record in bank.accounts():
            file.write(_line(record))
            written["accounts"] += 1
    except ReadError as error:
        return {"kind": "incomplete", "why": str(error), **written}
    return {"kind": "complete", **written}


class _Bank:
    """The bank's two reconciliation reads, repeated until they succeed or the time is up."""

    def __init__(self, base_url: str, within_s: float) -> None:
        self._url = urlsplit(base_url)
        self._give_up_s = time.monotonic() + within_s

    def transfers(self, prefix: str) -> Iterator[Record]:
        """Yield every transfer whose key has the prefix, in order of keys. Raises ReadError."""
        after = ""
        while True:
            path = f"/reconciliation/transfers?prefix={quote(prefix)}&after={quote(after)}&limit={PAGE}"
            page = self._get(path, "transfers")
            yield from (_transfer(row) for row in page["transfers"])
            if page.get("next") is None:
                return
            if page["next"] <= after:
                raise ReadError(f"the page after {after!r} leads back to {page['next']!r}")
            after = page["next"]

    def accounts(self) -> Iterator[Record]:
        """Yield every account, all as of one moment. Raises ReadError."""
        page = self._get("/reconciliation/accounts", "accounts")
        yield from (_account(row) for row in page["accounts"])

    def _get(self, path: str, expected: str) -> Record:
        attempts = Retrying(
            retry=retry_if_exception_type(ReadError),
            stop=lambda _: time.monotonic() > self._give_up_s,
            wait=wait_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        return attempts(self._try, path, expected)

    def _try(self, path: str, expected: str) -> Record:
        connection = self._connection()
        try:
            connection.request("GET", self._url.path.rstrip("/") + path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise ReadError(f"{path}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        return _parsed(path, answer.status, body, expected)

    def _connection(self) -> HTTPConnection:
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        return kind(self._url.netloc, timeout=ANSWER_WITHIN_S)


def _parsed(path: str, status: int, body: bytes, expected: str) -> Record:
    try:
        page = orjson.loads(body)
    except ValueError:
        page = None
    if status != HTTPStatus.OK or not isinstance(page, dict) or expected not in page:
        raise ReadError(f"{path}: HTTP {status}: {body[:200].decode(errors='replace')}")
    return page


def _transfer(row: list[Any]) -> Record:
    names = ("key", "debit", "credit", "cents", "entries", "entries_ok", "committed_at_ns")
    return {"kind": "transfer", **_named(names, row)}


def _account(row: list[Any]) -> Record:
    names = ("id", "opening", "balance", "entries_sum")
    return {"kind": "account", **_named(names, row)}


def _named(names: tuple[str, ...], row: list[Any]) -> Record:
    if len(row) != len(names):
        raise ReadError(f"expected {', '.join(names)}: {row!r}")
    return dict(zip(names, row, strict=True))


def _line(record: Record) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
