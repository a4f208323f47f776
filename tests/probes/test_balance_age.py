"""Balances that go back in time."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from blackstart.history import Outcome
from blackstart.verdict import Verdict, judge
from loadgen.shown import Shown
from objectives import BALANCES_FRESH
from probes.balance_age import balance_age
from tests.histories import S, Story

if TYPE_CHECKING:
    from pathlib import Path


def shown(shown: Shown, at_s: float, version: int, endpoint: str = "balance") -> dict[str, Any] | None:
    at_ns = int(at_s * S)
    row = [at_ns, at_ns, at_ns + 1, endpoint, Outcome.OK, "", 200]
    return shown.look(row, 7, json.dumps({"version": version}).encode())


def test_an_older_balance_than_before_is_told_with_its_age() -> None:
    seen = Shown()
    assert shown(seen, 1, 3) is None
    assert shown(seen, 2, 4, "transfer") is None
    assert shown(seen, 3, 5) is None
    told = shown(seen, 10, 3)

    assert told is not None
    assert (told["shown"], told["newest"], round(told["age_ns"] / S, 3)) == (3, 5, 8.0)
    assert shown(seen, 10.5, 3) is None, "once a second and account"
    assert (seen.compared, round(seen.age_ns_max / S, 3)) == (4, 8.5)


def test_what_was_asked_before_the_newer_answer_came_may_be_older() -> None:
    seen = Shown()
    shown(seen, 2, 5)

    assert shown(seen, 2, 4) is None


def test_a_transfer_that_is_repeated_rightly_gets_its_first_answer() -> None:
    seen = Shown()
    shown(seen, 1, 9)

    assert shown(seen, 5, 4, "transfer") is None
    assert seen.compared == 1


def test_an_answer_without_a_version_compares_nothing() -> None:
    seen = Shown()

    assert seen.look([0, 0, 1, "balance", Outcome.OK, "", 200], 7, b'{"balance": 3}') is None
    assert seen.look([0, 0, 1, "balance", Outcome.OK, "", 200], 7, b"<html>") is None
    assert seen.compared == 0


def story(folder: Path, *, age_s: float = 0.0, compared: int = 500, footer: bool = True) -> Story:
    told = Story(folder, footer=False).fault(10.0).request(1.0).request(20.0)
    if age_s:
        told.rows.append({"kind": "stale", "account": 7, "age_ns": age_s * S})  # type: ignore[arg-type]
    if footer:
        told.rows.append({"kind": "footer", "balances_compared": compared})  # type: ignore[arg-type]
    return told


def test_fresh_balances_pass_and_stale_ones_fail(tmp_path: Path) -> None:
    assert judge(BALANCES_FRESH, story(tmp_path / "a").tell()).verdict is Verdict.PASSED
    assert judge(BALANCES_FRESH, story(tmp_path / "b", age_s=14.0).tell()).verdict is Verdict.PASSED
    assert judge(BALANCES_FRESH, story(tmp_path / "c", age_s=16.0).tell()).verdict is Verdict.FAILED


def test_nobody_compared_or_a_lost_worker_is_unknown(tmp_path: Path) -> None:
    lost = story(tmp_path / "lost", age_s=3.0, footer=False).tell()

    assert judge(BALANCES_FRESH, story(tmp_path / "none", compared=0).tell()).verdict is Verdict.UNKNOWN
    assert judge(BALANCES_FRESH, lost).verdict is Verdict.UNKNOWN
    assert (balance_age(lost).low, balance_age(lost).high) == (3.0, math.inf)
