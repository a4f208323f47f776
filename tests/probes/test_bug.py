"""A logic bug is over when nothing of it is left, and customers are served from restored data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.verdict import Verdict, judge
from objectives import BACKUPS_GOOD, BUG_GONE, DAMAGE_REFUSED, REWIND_RTO, RUNBOOK_WORKS
from probes.bug_gone import bug_gone
from probes.damage import damaged_trusted
from probes.restored_time import restored_time
from tests.histories import Story, steady_load, utc

if TYPE_CHECKING:
    from pathlib import Path

COMPLETE = {"kind": "complete", "transfers": 2, "accounts": 2}


def booked(key: str) -> dict[str, Any]:
    row = {"debit": 1, "credit": 2, "cents": 100, "entries": 2, "entries_ok": True, "committed_at_ns": 0}
    return {"kind": "transfer", "key": key, **row}


def account(number: int, balance: int, entries_sum: int) -> dict[str, Any]:
    return {
        "kind": "account", "id": number, "opening": 1000, "balance": balance, "entries_sum": entries_sum,
    }  # fmt: skip


def bugged(folder: Path, *, ends: str | None = "finished") -> Story:
    """The bug of second 10 deletes r-1 and writes account 7; the old cluster serves until second 20."""
    told = steady_load(100, 90, seed=3).into(Story(folder, rate=100)).fault(10.0, took=0.1)
    told.event("bug", 10.1, accounts=[7], deleted=["r-1", "another-run-1"])
    told.transfer("r-1", 9.0).transfer("r-2", 15.0).transfer("r-3", 19.9).transfer("r-4", 21.0)
    if ends:
        told.event("runbook.end", 22.0, outcome=ends)
    told.healed(80.0)
    told.final = [booked("r-1"), booked("r-4"), account(1, 800, -200), account(7, 1200, 200), COMPLETE]
    return told


def test_nothing_of_the_bug_is_left_after_a_rewind(tmp_path: Path) -> None:
    history = bugged(tmp_path).tell()

    assert (bug_gone(history).low, bug_gone(history).high, bug_gone(history).samples) == (0, 0, 2)


@pytest.mark.parametrize(
    ("final", "left"),
    [
        ([booked("r-1"), account(1, 800, -200), account(7, 3600, 200), COMPLETE], 1),
        ([booked("r-4"), account(1, 800, -200), account(7, 1200, 200), COMPLETE], 1),
        ([account(1, 2400, -200), account(7, 3600, 200), COMPLETE], 2),
    ],
)
def test_what_is_left_of_the_bug_is_counted(tmp_path: Path, final: list[dict[str, Any]], left: int) -> None:
    told = bugged(tmp_path)
    told.final = final

    assert bug_gone(told.tell()).low == left
    assert judge(BUG_GONE, told.tell()).verdict is Verdict.FAILED


@pytest.mark.parametrize("final", [[], [booked("r-1"), account(1, 800, -200), COMPLETE]])
def test_rows_that_were_not_read_back_prove_nothing(tmp_path: Path, final: list[dict[str, Any]]) -> None:
    told = bugged(tmp_path)
    told.final = final

    assert judge(BUG_GONE, told.tell()).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("ends", [None, "failed"])
def test_books_that_the_drill_itself_put_right_prove_nothing(tmp_path: Path, ends: str | None) -> None:
    assert judge(BUG_GONE, bugged(tmp_path, ends=ends).tell()).verdict is Verdict.UNKNOWN


def ended(folder: Path, *outcomes: str, limit: bool = False, started: bool = True) -> Story:
    told = Story(folder).fault(1.0)
    if started:
        told.event("runbook.start", 2.0, runbook="runbooks.x:X", entry="e", resumed=False)
    for number, outcome in enumerate(outcomes):
        told.event("runbook.end", 3.0 + number, outcome=outcome)
    return told.event("limit.passed", 9.0, limit_s=8) if limit else told


@pytest.mark.parametrize(
    ("outcomes", "limit", "verdict"),
    [
        (("finished",), False, Verdict.PASSED),
        (("failed: refused", "abandoned"), False, Verdict.FAILED),
        (("abandoned",), True, Verdict.FAILED),
        ((), True, Verdict.FAILED),
        (("abandoned",), False, Verdict.UNKNOWN),
        ((), False, Verdict.UNKNOWN),
    ],
)
def test_a_runbook_works_when_it_comes_to_its_end(
    tmp_path: Path, outcomes: tuple[str, ...], limit: bool, verdict: Verdict
) -> None:
    assert judge(RUNBOOK_WORKS, ended(tmp_path, *outcomes, limit=limit).tell()).verdict is verdict


def test_without_a_runbook_nobody_knows_whether_it_works(tmp_path: Path) -> None:
    assert judge(RUNBOOK_WORKS, ended(tmp_path, started=False).tell()).verdict is Verdict.UNKNOWN


def test_without_a_bug_nothing_is_gone(tmp_path: Path) -> None:
    assert bug_gone(Story(tmp_path).fault(1.0).tell()).note == "no bug was recorded"


def test_service_that_never_stopped_is_restored_when_acknowledgements_come_true(tmp_path: Path) -> None:
    measured = restored_time(bugged(tmp_path).tell())

    assert (measured.low, measured.high) == pytest.approx((19.902 - 10.1, 21.002 - 10), abs=0.01)
    assert "2 transfers were acknowledged in vain" in measured.note


@pytest.mark.parametrize("ends", [None, "failed"])
def test_without_a_runbook_that_ended_well_nothing_was_restored(tmp_path: Path, ends: str | None) -> None:
    history = bugged(tmp_path, ends=ends).tell()

    assert restored_time(history).high == math.inf
    assert judge(REWIND_RTO, history).verdict is Verdict.UNKNOWN


def tried(folder: Path, *points: str, ends: str = "finished") -> Story:
    told = Story(folder).fault(10.0).event("damage", 11.0, recovery_point="arn:bad", how="byte")
    for number, point in enumerate(points):
        told.event(
            "restore.point", 12.0 + number, recovery_point=point, created_utc=utc(5), restorable_utc=utc(5)
        )
    return told.event("runbook.end", 30.0, outcome=ends)


def test_a_damaged_point_that_was_refused_is_none_that_was_trusted(tmp_path: Path) -> None:
    measured = damaged_trusted(tried(tmp_path, "arn:bad", "arn:good").tell())

    assert (measured.low, measured.high) == (0, 0)
    assert measured.note.startswith("1 damaged recovery points were tried and refused")


def test_customers_served_from_a_damaged_point_is_a_failure(tmp_path: Path) -> None:
    assert judge(DAMAGE_REFUSED, tried(tmp_path, "arn:bad").tell()).verdict is Verdict.FAILED


def test_a_runbook_that_gave_up_trusted_nothing_and_proves_nothing(tmp_path: Path) -> None:
    history = tried(tmp_path, "arn:bad", ends="failed").tell()

    assert judge(DAMAGE_REFUSED, history).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("refused", "ends", "verdict"),
    [
        ((), "finished", Verdict.PASSED),
        (("arn:bad",), "finished", Verdict.PASSED),  # the drill itself has damaged it
        (("arn:bad", "arn:other"), "finished", Verdict.FAILED),
        (("arn:other",), "failed", Verdict.FAILED),
        (("arn:bad",), "failed", Verdict.UNKNOWN),
    ],
)
def test_only_what_nobody_damaged_counts_as_bad_by_itself(
    tmp_path: Path, refused: tuple[str, ...], ends: str, verdict: Verdict
) -> None:
    told = tried(tmp_path, *refused, "arn:good", ends=ends)
    for point in refused:
        told.event("restore.refused", 13.0, recovery_point=point, created_utc=utc(5), why="lacks entries")

    assert judge(BACKUPS_GOOD, told.tell()).verdict is verdict


def test_without_damage_or_restore_the_probe_is_blind(tmp_path: Path) -> None:
    assert damaged_trusted(Story(tmp_path / "a").fault(1.0).tell()).samples == 0
    assert damaged_trusted(tried(tmp_path / "b").tell()).samples == 0
