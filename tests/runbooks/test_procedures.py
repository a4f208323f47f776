"""Each procedure ends well; killed at any of its calls, it leaves no orphan and can be gone on with."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from blackstart import activities, runbook_run
from blackstart.context import Context
from blackstart.history import Event, History
from blackstart.runbook import RunbookFailed
from blackstart.runbook_run import follow, open_run
from runbooks import aurora, renaming
from runbooks.cut_over import CutOver
from runbooks.restore_from_backup import RestoreFromBackup
from runbooks.rewind_to_a_point_in_time import RewindToAPointInTime
from tests.runbooks.account import Account, Killed

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.runbook import Runbook

PAIR = {"ledger-1", "ledger-2"}
SHORT_S = 20.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often: nothing here takes time. The bank itself is not part of these tests."""
    monkeypatch.setattr(runbook_run, "_LOOK_EVERY_S_MIN", 0.001)
    monkeypatch.setattr(aurora, "_LOOK_EVERY_S", 0.001)
    monkeypatch.setattr(renaming, "_bank_is_ready", lambda _: True)


def here(tmp_path: Path, name: str = "home") -> Context:
    return Context(home=str(tmp_path / name))


def events(context: Context, kind: str) -> list[Event]:
    return [event for event in History(context.ledger.path.parent).events if event.kind == kind]


def test_a_destroyed_ledger_is_restored_and_takes_its_name(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger, destroyed=True)
    follow(context, account, RestoreFromBackup(within_s=SHORT_S))

    assert account.shape() == {"ledger": PAIR}
    assert account.content("ledger").endswith("job-1")
    assert [job["validation"] for job in account.jobs.values()] == ["SUCCESSFUL"]
    [point] = events(context, "restore.point")
    assert point.detail["recovery_point"].endswith("job-1")
    assert context.ledger.open_entries() == ()


@pytest.mark.parametrize(("old", "left"), [("keep", 2), ("delete", 1)])
def test_a_living_one_gives_its_name_up(tmp_path: Path, old: str, left: int) -> None:
    context = here(tmp_path)
    account = Account(context.ledger)
    follow(context, account, RestoreFromBackup(old=old, within_s=SHORT_S))

    assert account.shape()["ledger"] == PAIR
    assert len(account.shape()) == left
    assert account.content("ledger").endswith("job-1")


def test_bad_points_are_refused_and_the_next_older_one_is_taken(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger, destroyed=True)
    newest, next_one, oldest = (point["RecoveryPointArn"] for point in account.points)
    account.damaged, account.failing = {newest}, {next_one}
    follow(context, account, RestoreFromBackup(within_s=SHORT_S))

    assert account.shape() == {"ledger": PAIR}
    assert account.content("ledger") == oldest
    assert [e.detail["recovery_point"] for e in events(context, "restore.refused")] == [newest, next_one]
    assert "base/1/2 is damaged" in events(context, "restore.refused")[1].detail["why"]
    assert [job.get("validation") for job in account.jobs.values()] == ["FAILED", None, "SUCCESSFUL"]
    chosen = [e for e in events(context, "runbook.step") if "more of data" in e.detail["detail"]]
    assert "costs 3540 s more of data" in chosen[-1].detail["detail"]


def test_a_point_on_which_no_instance_can_be_made_is_refused_at_once(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger, destroyed=True)
    newest, next_one, _ = (point["RecoveryPointArn"] for point in account.points)
    account.unservable = {newest}
    follow(context, account, RestoreFromBackup(within_s=SHORT_S))

    assert account.shape() == {"ledger": PAIR}
    assert account.content("ledger") == next_one
    [refused] = events(context, "restore.refused")
    assert "-1-1, ledger-restored" in refused.detail["why"]
    assert "cannot be made on it" in refused.detail["why"]
    assert [job["validation"] for job in account.jobs.values()] == ["FAILED", "SUCCESSFUL"]


def test_who_trusts_the_job_asks_nothing_and_says_so(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger, destroyed=True)
    newest = account.points[0]["RecoveryPointArn"]
    account.damaged = {newest}
    follow(context, account, RestoreFromBackup(trusts="job", within_s=SHORT_S))

    assert account.content("ledger") == newest
    assert [job.get("validation") for job in account.jobs.values()] == [None]
    assert [e for e in events(context, "runbook.step") if "NOT VERIFIED" in e.detail["detail"]]
    with pytest.raises(ValueError, match="'answers' or 'job' was expected"):
        RestoreFromBackup(trusts="nobody")


def test_when_all_are_bad_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger)
    account.damaged = {point["RecoveryPointArn"] for point in account.points}
    with pytest.raises(RunbookFailed, match="no recovery point is left of 3"):
        follow(context, account, RestoreFromBackup(within_s=SHORT_S))
    activities.heal_open(context, account)

    assert account.shape() == {"ledger": PAIR}
    assert account.content("ledger") == "first"


def test_a_random_point_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    restored = []
    for number, seed in enumerate([1, 1, *range(2, 8)]):
        context = here(tmp_path, str(number))
        account = Account(context.ledger, destroyed=True)
        follow(context, account, RestoreFromBackup(which="random of 7d", seed=seed, within_s=SHORT_S))
        restored.append(account.content("ledger"))

    assert restored[0] == restored[1]
    assert len(set(restored)) > 1


def test_a_ruined_ledger_is_rewound_to_before_the_bug(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = Account(context.ledger)
    follow(context, account, RewindToAPointInTime(old="delete", within_s=SHORT_S))

    assert account.shape() == {"ledger": PAIR}
    assert account.content("ledger") == "2026-11-23 09:00:00.123456+00:00"


def test_a_replacement_takes_over(tmp_path: Path) -> None:
    context = here(tmp_path)
    account = with_replacement(context)
    follow(context, account, CutOver(within_s=SHORT_S))

    assert account.content("ledger") == "other"
    assert account.shape()["ledger"] == PAIR
    assert len(account.shape()) == 2


def with_replacement(context: Context) -> Account:
    account = Account(context.ledger)
    account._make_cluster("ledger-restored", status="available", content="other")
    for name in ("ledger-restored-1", "ledger-restored-2"):
        account._make_instance(name, "ledger-restored", status="available")
    account.settle()
    return account


def destroyed(context: Context) -> Account:
    return Account(context.ledger, destroyed=True)


def living(context: Context) -> Account:
    return Account(context.ledger)


def one_bad(context: Context) -> Account:
    account = living(context)
    account.damaged = {account.points[0]["RecoveryPointArn"]}
    return account


CASES: list[Any] = [
    pytest.param(destroyed, RestoreFromBackup(within_s=SHORT_S), id="backup-destroyed"),
    pytest.param(one_bad, RestoreFromBackup(old="delete", within_s=SHORT_S), id="backup-one-bad"),
    pytest.param(living, RewindToAPointInTime(old="keep", within_s=SHORT_S), id="rewind"),
    pytest.param(with_replacement, CutOver(old="keep", within_s=SHORT_S), id="cut-over"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
@pytest.mark.parametrize(("make", "runbook"), CASES)
def test_killed_at_any_call_it_can_be_abandoned(
    tmp_path: Path, make: Any, runbook: Runbook, *, before: bool
) -> None:
    for call in count(1):
        context = here(tmp_path, str(call))
        account = make(context)
        as_it_was = account.shape()
        if not killed_at(call, before, account, context, runbook):
            break
        activities.heal_open(context, account)
        account.settle()

        assert context.ledger.open_entries() == ()
        no_orphan(account, as_it_was, call)
    assert call > 3


@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
@pytest.mark.parametrize(("make", "runbook"), CASES)
def test_killed_at_any_call_it_can_be_gone_on_with(
    tmp_path: Path, make: Any, runbook: Runbook, *, before: bool
) -> None:
    whole = here(tmp_path, "whole")
    unbroken = make(whole)
    follow(whole, unbroken, runbook)
    for call in count(1):
        context = here(tmp_path, str(call))
        account = make(context)
        if not killed_at(call, before, account, context, runbook):
            break
        follow(context, account, runbook, resume=open_run(context))

        assert len(account.shape()) == len(unbroken.shape()), call
        assert account.shape()["ledger"] == PAIR
        same = account.content("ledger").rpartition(":")[2] == unbroken.content("ledger").rpartition(":")[2]
        assert same, call
        assert len(account.jobs) == len(unbroken.jobs)
        assert context.ledger.open_entries() == ()


def killed_at(call: int, before: bool, account: Account, context: Context, runbook: Runbook) -> bool:
    account.die_at, account.dies_before = call, before
    try:
        follow(context, account, runbook)
    except Killed:
        account.die_at = 0
        return True
    return False


def no_orphan(account: Account, as_it_was: dict[str, set[str]], call: int) -> None:
    """As it was found; or, when the new one serves already, that and at most the old one beside it."""
    if account.shape() == as_it_was:
        return
    assert account.content("ledger") != "first", call
    assert account.shape()["ledger"] == PAIR, call
    assert not [name for name in account.shape() if "-restored" in name], (call, account.shape())
