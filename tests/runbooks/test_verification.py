"""A sound ledger stands up to verification; each kind of damage does not. On a real PostgreSQL."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runbooks import logic_bug, verification
from runbooks.data_api import Sql
from tests.runbooks.conftest import Asked

if TYPE_CHECKING:
    from tests.runbooks.conftest import Postgres

pytestmark = pytest.mark.local


def sql_of(postgres: Postgres) -> Sql:
    asked: Any = Asked(postgres)
    return Sql(staging=asked, region="", cluster_arn="arn", secret="ledger/password", database="ledger")  # noqa: S106 - a name


def test_a_sound_ledger_has_no_problem(postgres: Postgres) -> None:
    assert verification.problems(sql_of(postgres)) == []
    assert sql_of(postgres).one(logic_bug.LAST_GOOD) is None


@pytest.mark.parametrize(
    ("damage", "asks"),
    [
        ("TRUNCATE entries", "entries that transfers lack"),
        ("TRUNCATE transfers, entries", "whose balance is not"),
        ("TRUNCATE accounts CASCADE", "there are accounts"),
        ("DROP TABLE entries", "tables of the ledger"),
        ("UPDATE accounts SET balance = balance * 2 WHERE id % 7 = 0", "whose balance is not"),
        ("UPDATE accounts SET balance = balance * 2 WHERE id % 7 = 0", "money is conserved"),
        ("UPDATE entries SET cents = -cents WHERE transfer_key = 't-000007'", "belong to no transfer"),
        ("DELETE FROM entries WHERE transfer_key = 't-000007'", "entries that transfers lack"),
        (
            """DELETE FROM entries WHERE transfer_key = 't-000007';
            DELETE FROM transfers WHERE key = 't-000007'""",
            "whose balance is not",
        ),
    ],
)
def test_each_damage_is_seen(postgres: Postgres, damage: str, asks: str) -> None:
    postgres.execute(damage)

    assert any(asks in problem for problem in verification.problems(sql_of(postgres)))


@pytest.mark.parametrize("relation", ["transfers", "entries", "accounts", "transfers_pkey", "entries_pkey"])
def test_a_damaged_page_is_read(postgres: Postgres, relation: str) -> None:
    [[where]] = postgres.rows(f"SELECT pg_relation_filepath('{relation}')")
    postgres.stop()
    path = postgres.home / "base" / Path(where)
    content = bytearray(path.read_bytes())
    content[len(content) - 4096] ^= 0xFF  # in the last page
    path.write_bytes(content)
    postgres.start()

    assert any("invalid page" in problem for problem in verification.problems(sql_of(postgres)))


_BUG = (
    "UPDATE accounts SET balance = balance * 2 WHERE id % 7 = 0;"
    "DELETE FROM entries WHERE transfer_key > 't-000390' AND transfer_key < 'u';"
    "DELETE FROM transfers WHERE key > 't-000390' AND key < 'u'"
)


def test_the_last_good_moment_is_just_before_the_bug(postgres: Postgres) -> None:
    postgres.execute("SELECT bank_transfer('before', 7, 8, 1)")
    postgres.execute(_BUG)
    [[bug]] = postgres.rows("SELECT pg_xact_commit_timestamp(xmin) FROM accounts WHERE id = 14")
    postgres.execute("SELECT bank_transfer('after', 7, 8, 1)")

    assert instant(sql_of(postgres).one(logic_bug.LAST_GOOD)) == bug - timedelta(microseconds=1)


def test_without_commit_timestamps_it_is_the_last_entry_that_was_right(postgres: Postgres) -> None:
    postgres.execute("SELECT bank_transfer('before', 7, 8, 1)")
    [[before]] = postgres.rows("SELECT committed_at FROM transfers WHERE key = 'before'")
    postgres.execute(_BUG)
    postgres.execute("SELECT bank_transfer('after', 7, 8, 1)")
    postgres.stop()
    postgres.start(track_commit_timestamp="off")

    assert instant(sql_of(postgres).one(logic_bug.LAST_GOOD)) == before


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
