"""What was acknowledged and is gone; and whether the books agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.verdict import Verdict, judge
from objectives import NO_FAILED_REQUESTS, NO_LOSS_IN_TIME, NO_LOST_RECORDS, RECEIPTED, RECONCILED
from probes.data_loss import lost_records, lost_seconds
from probes.reconciliation import NOBODY_SENT, discrepancies, reconciliation
from tests.histories import Story

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.verdict import Objective

COMPLETE = {"kind": "complete", "transfers": 2, "accounts": 2}


def booked(key: str, **other: Any) -> dict[str, Any]:
    row = {"debit": 1, "credit": 2, "cents": 100, "entries": 2, "entries_ok": True, "committed_at_ns": 0}
    return {"kind": "transfer", "key": key, **row, **other}


def account(number: int, balance: int, entries_sum: int, opening: int = 1000) -> dict[str, Any]:
    return {
        "kind": "account",
        "id": number,
        "opening": opening,
        "balance": balance,
        "entries_sum": entries_sum,
    }


def story(folder: Path) -> Story:
    """Two transfers acknowledged before the fault at 10 s, one refused, one that nobody knows of."""
    told = Story(folder).transfer("r-0-1", 8.0).transfer("r-0-2", 9.0).fault(10.0, took=0.5)
    told.transfer("r-0-3", 9.5, outcome="failed", status=422, reason="http")
    told.transfer("r-0-4", 11.0, outcome="unknown", status=0, reason="timeout")
    told.final = [booked("r-0-1"), booked("r-0-2"), account(1, 800, -200), account(2, 1200, 200), COMPLETE]
    return told


def without(told: Story, key: str) -> Story:
    told.final = [record for record in told.final if record.get("key") != key]
    return told


def test_a_healthy_drill_loses_nothing_and_its_books_agree(tmp_path: Path) -> None:
    history = story(tmp_path).tell()

    objectives = (NO_LOST_RECORDS, NO_LOSS_IN_TIME, RECONCILED)

    assert [judge(objective, history).verdict for objective in objectives] == [Verdict.PASSED] * 3


def test_an_acknowledged_transfer_that_is_gone_is_lost(tmp_path: Path) -> None:
    history = without(story(tmp_path), "r-0-1").tell()

    age = lost_seconds(history)

    assert lost_records(history).low == lost_records(history).high == 1
    assert (age.low, age.high) == pytest.approx((10 - 8.002, 10.5 - 8.002))
    assert judge(NO_LOST_RECORDS, history).verdict is Verdict.FAILED
    assert judge(NO_LOSS_IN_TIME, history).verdict is Verdict.FAILED


def test_the_oldest_lost_transfer_dates_the_loss(tmp_path: Path) -> None:
    history = without(without(story(tmp_path), "r-0-1"), "r-0-2").tell()

    assert lost_seconds(history).low == pytest.approx(10 - 8.002)
    assert lost_records(history).low == 2


def test_what_was_acknowledged_after_the_fault_is_lost_too(tmp_path: Path) -> None:
    history = story(tmp_path).transfer("r-0-5", 20.0).tell()

    assert lost_records(history).low == 1
    assert lost_seconds(history).high == 0
    assert "1 of them acknowledged after the fault" in lost_seconds(history).note


def test_a_retry_that_was_acknowledged_is_one_promise(tmp_path: Path) -> None:
    told = story(tmp_path).transfer("r-0-6", 12.0, outcome="unknown", status=503, reason="http")
    history = without(told.transfer("r-0-6", 14.0), "r-0-6").tell()

    assert lost_records(history).low == 1


@pytest.mark.parametrize("ending", [[], [{"kind": "incomplete", "why": "HTTP 503"}]])
def test_reads_that_did_not_end_are_blind(tmp_path: Path, ending: list[dict[str, Any]]) -> None:
    told = story(tmp_path)
    told.final = [booked("r-0-1"), *ending]
    history = told.tell()

    for probe in (lost_records, lost_seconds, reconciliation):
        assert (probe(history).low, probe(history).high) == (-math.inf, math.inf)
    assert judge(NO_LOST_RECORDS, history).verdict is Verdict.UNKNOWN


def test_nothing_acknowledged_before_the_fault_is_blind(tmp_path: Path) -> None:
    told = Story(tmp_path).fault(10.0).transfer("r-0-1", 11.0)
    told.final = [booked("r-0-1"), account(1, 900, -100), account(2, 1100, 100), COMPLETE]

    assert lost_records(told.tell()).note.startswith("no transfer was acknowledged before the fault")
    assert lost_seconds(told.tell()).samples == 0


def test_without_a_fault_loss_is_blind(tmp_path: Path) -> None:
    told = story(tmp_path)
    told.events.clear()

    assert lost_records(told.tell()).note == "nothing was injected"


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (booked("r-0-2", cents=101), "not as ordered"),
        (booked("r-0-2", credit=3), "not as ordered"),
        (booked("r-0-2", entries=4), "entries are not a pair"),
        (booked("r-0-2", entries_ok=False), "entries are not a pair"),
        (booked("r-0-3"), "refused, and there"),
        (booked("r-0-9"), NOBODY_SENT),
        (booked("r-0-1"), "booked more than once"),
        (account(3, 990, -20), "balance is not its entries"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_discrepancy_is_named(tmp_path: Path, record: dict[str, Any], kind: str) -> None:
    told = without(story(tmp_path), "r-0-2") if record.get("key") == "r-0-2" else story(tmp_path)
    told.final.insert(0, record)
    history = told.tell()

    assert kind in [discrepancy.kind for discrepancy in discrepancies(history)]
    assert judge(RECONCILED, history).verdict is Verdict.FAILED


def test_money_from_nowhere_is_a_discrepancy_though_each_balance_fits(tmp_path: Path) -> None:
    told = story(tmp_path)
    told.final.insert(0, account(3, 1050, 50))

    (found,) = discrepancies(told.tell())

    assert (found.kind, found.detail) == ("money is not conserved", "+50 cents between opening and now")


def test_a_lost_transfer_is_a_discrepancy_too(tmp_path: Path) -> None:
    (found,) = discrepancies(without(story(tmp_path), "r-0-1").tell())

    assert (found.kind, found.key, found.detail) == (
        "acknowledged, and gone",
        "r-0-1",
        "100 cents from 1 to 2",
    )


def test_an_unknown_transfer_may_be_there_or_not(tmp_path: Path) -> None:
    told = story(tmp_path)
    told.final.insert(0, booked("r-0-4"))

    assert discrepancies(told.tell()) == ()


def test_a_killed_worker_could_not_say_what_it_had_just_sent(tmp_path: Path) -> None:
    told = story(tmp_path)
    told.footer = False
    told.final.insert(0, booked("r-0-9"))

    measured = reconciliation(told.tell())

    assert (measured.low, measured.high) == (0, math.inf)
    assert measured.note == f"{NOBODY_SENT}: 1; nobody knows how many more requests were never recorded"


def with_gap(told: Story, unrecorded: int | None) -> Story:
    """Let the load have counted so many requests more than it wrote down, or have been killed."""
    told.footer = False
    if unrecorded is not None:
        footer = {"kind": "footer", "scheduled": len(told.rows) + unrecorded}
        told.rows.append(footer)  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("objective", [NO_LOST_RECORDS, RECONCILED, NO_FAILED_REQUESTS, RECEIPTED])
@pytest.mark.parametrize(("unrecorded", "high"), [(0, 0), (3, 3), (None, math.inf)])
def test_what_was_never_recorded_may_have_been_lost_too(
    tmp_path: Path, objective: Objective, unrecorded: int | None, high: float
) -> None:
    told = story(tmp_path)
    told.rows = told.rows[:2]  # nothing but what was acknowledged
    told.receipts = [{"kind": "object", "name": "receipts/1", "keys": ["r-0-1", "r-0-2"]}, COMPLETE]
    judged = judge(objective, with_gap(told, unrecorded).tell())

    assert (judged.measurement.low, judged.measurement.high) == (0, high)
    assert judged.verdict is (Verdict.PASSED if unrecorded == 0 else Verdict.UNKNOWN)
    assert ("never recorded" in judged.measurement.note) is (unrecorded != 0)


@pytest.mark.parametrize("unrecorded", [1, None])
def test_how_old_what_was_never_recorded_is_nobody_knows(tmp_path: Path, unrecorded: int | None) -> None:
    whole = lost_seconds(with_gap(story(tmp_path / "whole"), unrecorded).tell())
    lossy = lost_seconds(with_gap(without(story(tmp_path / "lossy"), "r-0-1"), unrecorded).tell())

    assert (whole.low, whole.high) == (0, math.inf)
    assert lossy.low == pytest.approx(10 - 8.002)
    assert lossy.high == math.inf


def test_reads_without_accounts_are_blind(tmp_path: Path) -> None:
    told = story(tmp_path)
    told.final = [booked("r-0-1"), booked("r-0-2"), COMPLETE]

    assert reconciliation(told.tell()).samples == 0
