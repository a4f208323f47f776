"""A restore goes back to one instant: what came after it is lost, what is gone before it is a hole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.verdict import Verdict, judge
from objectives import NO_HOLES, RECONCILED_AFTER_RESTORE, RESTORE_RPO
from probes.reconciliation_after_restore import discrepancies_after_restore, reconciliation_after_restore
from probes.restored import holes, loss_by_recovery_point, lost_one_by_one, restored_to, work_lost
from tests.histories import Story, utc

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COMPLETE = {"kind": "complete", "transfers": 0, "accounts": 2}
BEFORE, AFTER = range(1, 10), range(21, 26)  # transfer r-N is acknowledged at second N, the fault comes at 10


def story(folder: Path, *, kept: Iterable[int], point: float | None = 6.5) -> Story:
    """One transfer a second; those in `kept` are read back."""
    told = Story(folder).fault(10.0, took=0.2)
    for number in (*BEFORE, *AFTER):
        told.transfer(f"r-{number}", float(number))
    if point is not None:
        told.event("restore.point", 15.0, **restore_point(point))
    told.event("runbook.end", 20.0, outcome="finished")
    told.final = [*map(booked, kept), *accounts(), COMPLETE]
    return told


def restore_point(at: float, until: float | None = None) -> dict[str, str]:
    return {
        "recovery_point": "arn:point",
        "created_utc": utc(at),
        "restorable_utc": utc(at if until is None else until),
    }


def booked(number: int) -> dict[str, Any]:
    row = {"debit": 1, "credit": 2, "cents": 100, "entries": 2, "entries_ok": True, "committed_at_ns": 0}
    return {"kind": "transfer", "key": f"r-{number}", **row}


def accounts() -> list[dict[str, Any]]:
    return [
        {"kind": "account", "id": 1, "opening": 1000, "balance": 900, "entries_sum": -100},
        {"kind": "account", "id": 2, "opening": 1000, "balance": 1100, "entries_sum": 100},
    ]


def test_what_was_never_recorded_may_be_a_hole(tmp_path: Path) -> None:
    told = story(tmp_path, kept=[*range(1, 7), *AFTER])
    told.footer = False
    told.rows.append({"kind": "footer", "scheduled": len(told.rows) + 2})  # type: ignore[arg-type]

    assert (holes(told.tell()).low, holes(told.tell()).high) == (0, 2)


def test_a_clean_restore_loses_what_is_newer_than_its_point_and_nothing_else(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[*range(1, 7), *AFTER]).tell()

    loss = loss_by_recovery_point(history)

    assert holes(history).high == 0
    assert reconciliation_after_restore(history).high == 0
    assert (loss.low, loss.high) == pytest.approx((3.5, 3.7))
    assert [lost["key"] for lost in lost_one_by_one(history)] == ["r-7", "r-8", "r-9"]
    assert [judge(o, history).verdict for o in (NO_HOLES, RECONCILED_AFTER_RESTORE, RESTORE_RPO)] == [
        Verdict.PASSED
    ] * 3


def test_a_transfer_gone_before_one_that_survived_is_a_hole(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[1, 2, 4, 5, 6, *AFTER], point=None).tell()

    assert holes(history).low == 1
    assert judge(NO_HOLES, history).verdict is Verdict.FAILED
    assert judge(RECONCILED_AFTER_RESTORE, history).verdict is Verdict.FAILED
    assert [d.key for d in discrepancies_after_restore(history)] == ["r-3"]
    assert [lost["key"] for lost in lost_one_by_one(history) if not lost["explained"]] == ["r-3"]


def test_transfers_at_the_same_time_have_no_order(tmp_path: Path) -> None:
    told = story(tmp_path, kept=[*range(1, 7), *AFTER], point=None)
    told.transfer("r-90", 5.9995)  # under way while r-6 was, and gone

    assert holes(told.tell()).high == 0


def test_a_recovery_point_that_holds_less_than_its_date_says_is_full_of_holes(tmp_path: Path) -> None:
    history = story(tmp_path, kept=AFTER, point=6.5).tell()

    assert holes(history).low == 5  # r-6 was acknowledged within a second of the point
    assert loss_by_recovery_point(history).low == pytest.approx(10 - 1.002)


def test_what_the_restored_cluster_acknowledged_may_not_go_again(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[*range(1, 7), 21, 22, 24, 25]).tell()

    assert [lost["key"] for lost in lost_one_by_one(history) if not lost["explained"]] == ["r-23"]


def test_without_any_survivor_everything_is_one_stretch(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[], point=0.5).tell()

    assert holes(history).high == 0
    assert loss_by_recovery_point(history).low == pytest.approx(9.5)


def test_an_old_recovery_point_breaks_the_rpo_though_the_load_began_later(tmp_path: Path) -> None:
    history = story(tmp_path, kept=AFTER, point=-7200.0).tell()

    assert loss_by_recovery_point(history).low == pytest.approx(7210)
    assert judge(RESTORE_RPO, history).verdict is Verdict.FAILED


def test_the_span_of_a_recovery_point_widens_the_loss(tmp_path: Path) -> None:
    told = story(tmp_path, kept=[*range(1, 7), *AFTER], point=None)
    told.event("restore.point", 14.0, **restore_point(1.0))
    told.event("restore.point", 15.0, **restore_point(6.2, 6.8))
    history = told.tell()
    point = restored_to(history)

    assert point is not None
    assert (point.until_ns - point.from_ns) / 1e9 == pytest.approx(0.6)
    assert loss_by_recovery_point(history).low == pytest.approx(3.2)
    assert loss_by_recovery_point(history).high == pytest.approx(4.0)


def test_the_work_lost_reaches_from_the_point_to_the_last_vain_acknowledgement(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[*range(1, 7), 24, 25]).tell()

    lost = work_lost(history)

    assert (lost.low, lost.high) == pytest.approx((23 - 7, 23.002 - 6.5))
    assert lost.samples == 6
    assert holes(history).high == 0


def test_nothing_lost_is_no_work_lost(tmp_path: Path) -> None:
    history = story(tmp_path, kept=[*BEFORE, *AFTER]).tell()

    assert (work_lost(history).low, work_lost(history).high) == (0, 0)


def test_a_restore_that_said_nothing_is_blind(tmp_path: Path) -> None:
    history = story(tmp_path, kept=BEFORE, point=None).tell()

    assert loss_by_recovery_point(history).samples == 0
    assert judge(RESTORE_RPO, history).verdict is Verdict.UNKNOWN
    assert work_lost(history).high == math.inf


def test_reads_that_did_not_end_leave_the_age_of_the_point(tmp_path: Path) -> None:
    told = story(tmp_path, kept=BEFORE)
    told.final = [{"kind": "incomplete", "why": "HTTP 503"}]
    history = told.tell()
    loss = loss_by_recovery_point(history)

    assert loss.low == pytest.approx(3.5)
    assert loss.high == math.inf
    for probe in (holes, work_lost, reconciliation_after_restore):
        assert probe(history).low == -math.inf


def test_other_discrepancies_remain_discrepancies(tmp_path: Path) -> None:
    told = story(tmp_path, kept=[*range(1, 7), *AFTER])
    told.final.insert(0, {"kind": "account", "id": 3, "opening": 10, "balance": 20, "entries_sum": 0})
    history = told.tell()

    assert {d.kind for d in discrepancies_after_restore(history)} == {
        "balance is not its entries",
        "money is not conserved",
    }


def test_what_the_drill_itself_put_back_says_nothing_of_a_restore(tmp_path: Path) -> None:
    told = story(tmp_path, kept=[*BEFORE, *AFTER])
    told.events = [event for event in told.events if event["kind"] != "runbook.end"]
    history = told.event("runbook.end", 20.0, outcome="failed: no recovery point is left").tell()

    for objective in (NO_HOLES, RECONCILED_AFTER_RESTORE, RESTORE_RPO):
        assert judge(objective, history).verdict is Verdict.UNKNOWN


def test_a_damaged_date_is_too_old_whatever_became_of_the_runbook(tmp_path: Path) -> None:
    told = story(tmp_path, kept=BEFORE, point=-7200.0)
    told.events = [event for event in told.events if event["kind"] != "runbook.end"]

    assert judge(RESTORE_RPO, told.tell()).verdict is Verdict.FAILED
