"""Service that only people can bring back comes back by their runbook, or never."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from blackstart.verdict import Verdict, judge
from objectives import DR_RTO
from probes.recovery_by_runbook import recovery_by_runbook
from probes.recovery_time import recovery_time
from tests.histories import S, Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path


def lost(folder: Path, *, dark_s: float, ends: str) -> Story:
    """A region is lost at second 10 of 100, and the runbook ends at second 30."""
    load = steady_load(100, 100, seed=3)
    dark = (load.start_ns >= ns(10)) & (load.start_ns < ns(10) + int(dark_s * S))
    load.ok[dark] = False
    load.end_ns[dark] += 2 * S
    told = load.into(Story(folder, rate=100)).fault(10.0, took=0.1)
    return told.event("runbook.end", 30.0, outcome=ends).event("phase", 99.0, name="final reads")


def test_what_a_runbook_recovers_is_measured_as_ever(tmp_path: Path) -> None:
    history = lost(tmp_path, dark_s=22, ends="finished").tell()

    assert recovery_by_runbook(history) == recovery_time(history)
    assert judge(DR_RTO, history).verdict is Verdict.PASSED


def test_a_runbook_that_fails_recovers_nothing_ever(tmp_path: Path) -> None:
    history = lost(tmp_path, dark_s=90, ends="failed: RunbookFailed: no recovery point is left of 0").tell()
    measured = recovery_by_runbook(history)

    assert (measured.low, measured.high) == (math.inf, math.inf)
    assert "no recovery point is left" in measured.note
    assert judge(DR_RTO, history).verdict is Verdict.FAILED


@pytest.mark.parametrize("ends", ["stopped", "abandoned"])
def test_a_runbook_that_was_stopped_proves_nothing(tmp_path: Path, ends: str) -> None:
    assert judge(DR_RTO, lost(tmp_path, dark_s=90, ends=ends).tell()).verdict is Verdict.UNKNOWN


def test_service_that_came_back_in_spite_of_a_failed_runbook_came_back(tmp_path: Path) -> None:
    history = lost(tmp_path, dark_s=15, ends="failed: TooLate: not within 900 s").tell()

    assert recovery_by_runbook(history) == recovery_time(history)
    assert recovery_by_runbook(history).high < 20
