"""A logic bug touches many rows in one statement, is seen by customers, and is undone from a snapshot."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.fault import Conflict, NothingToBreak, Secured
from blackstart.history import History
from faults import aurora
from faults.ledger_corrupted import LedgerCorrupted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.ledger_on_moto import Site

FAULT = LedgerCorrupted(cluster="ledger", secret="ledger/owner", bite_within_s=0.5)  # noqa: S106 - a name
NAME = "faults.ledger_corrupted:LedgerCorrupted"
DONE = {"accounts": [7, 14], "deleted": ["r-1", "r-2"], "entries": 4}


class Sql:
    """What the Data API was asked, and what it answers: moto has no database."""

    def __init__(self) -> None:
        self.wrong = 2
        self.asked: list[str] = []

    def __call__(self, _: Site, cluster: str, secret: str, sql: str) -> dict[str, Any]:
        assert (cluster, secret) == ("ledger", "ledger/owner")
        self.asked.append(sql)
        if "json_build_object" in sql:
            return {"records": [[{"stringValue": json.dumps(DONE)}]]}
        return {"records": [[{"longValue": self.wrong}]]}


@pytest.fixture
def sql(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sql:
    monkeypatch.setenv("BLACKSTART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BLACKSTART_CONTEXT", raising=False)
    answers = Sql()
    monkeypatch.setattr(aurora, "execute", answers)
    return answers


def test_the_way_back_is_made_before_anything_breaks(site: Site, sql: Sql) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)

    assert isinstance(FAULT, Secured)

    FAULT.secure(site, plan, entry)

    assert site.snapshots() == [f"blackstart-{entry.id}"]
    assert sql.asked == []


def test_each_row_that_the_bug_touched_is_written_down(site: Site, sql: Sql, tmp_path: Path) -> None:
    plan = FAULT.prepare(site)
    FAULT.inject(site, plan, site.opened(NAME, plan))
    bug = History(tmp_path / "home" / "local").event("bug")

    assert bug is not None
    assert bug.detail == {"accounts": [7, 14], "deleted": ["r-1", "r-2"]}
    assert len(sql.asked) == 1
    assert "id % 7 = 0" in sql.asked[0]
    assert "balance * 3" in sql.asked[0]


def shown(cents: int, source: str) -> dict[str, Any]:
    return {
        "/reconciliation/accounts": {"accounts": [[1, 100, 90, -10], [7, 100, 300, 0]]},
        "/login": {"token": "t"},
        "/accounts/7/balance": {"balance": cents, "source": source},
    }


@pytest.mark.parametrize(
    ("pages", "bites"),
    [
        (shown(310, "reader"), True),
        (shown(310, "cache"), False),
        (shown(105, "reader"), False),
        ({"/reconciliation/accounts": {"accounts": [[7, 100, 100, 0]]}}, False),
        ({}, False),
    ],
    ids=["wrong", "from the cache", "right", "books agree", "bank is down"],
)
def test_it_bites_when_a_reader_shows_a_wrong_balance(site: Site, pages: dict[str, Any], bites: bool) -> None:
    site.bank.pages.update(pages)

    assert FAULT.bite(site, FAULT.prepare(site)).confirmed is bites


def test_a_rewound_ledger_is_left_alone(site: Site, sql: Sql) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    FAULT.secure(site, plan, entry)
    before = site.cluster()
    sql.wrong = 0
    FAULT.heal(site, plan, entry)
    after = site.cluster()

    assert before is not None
    assert after is not None
    assert after["DbClusterResourceId"] == before["DbClusterResourceId"]
    assert site.snapshots() == []


def test_a_ledger_that_is_still_wrong_is_replaced(site: Site, sql: Sql) -> None:
    plan = FAULT.prepare(site)
    entry = site.opened(NAME, plan)
    FAULT.secure(site, plan, entry)
    before = site.cluster()
    FAULT.heal(site, plan, entry)
    after = site.cluster()

    assert before is not None
    assert after is not None
    assert after["DbClusterResourceId"] != before["DbClusterResourceId"]
    assert site.members() == ["ledger-1", "ledger-2"]
    assert site.snapshots() == []
    assert sql.wrong


@pytest.mark.usefixtures("sql")
def test_a_wrong_ledger_without_a_snapshot_is_not_touched(site: Site) -> None:
    plan = FAULT.prepare(site)

    with pytest.raises(Conflict, match="no safety snapshot"):
        FAULT.heal(site, plan, site.opened(NAME, plan))

    assert site.members() == ["ledger-1", "ledger-2"]


def test_nothing_found_is_an_error(site: Site) -> None:
    with pytest.raises(NothingToBreak, match="legder"):
        replace(FAULT, cluster="legder").prepare(site)
