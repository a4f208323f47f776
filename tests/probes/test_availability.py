"""Availability outside, during and after an outage."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from blackstart.verdict import Verdict, judge
from objectives import OTHER_AZ_GOES_ON, READS_GO_ON, RETURN_IS_QUIET, SLO, SPOT_SLO
from probes.availability import (
    availability_after_heal,
    availability_outside,
    availability_overall,
    availability_throughout,
    reads_during_outage,
)
from tests.histories import Load, Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.history import History

DOWN = (3.0, 5.0)


def drill(folder: Path, *broken: tuple[float, float], seconds: float = 16.0, rate: float = 1000.0) -> History:
    """A fault at 3 s, healed at 10 s, requests failing in the given spans of seconds."""
    load = failing(steady_load(rate, seconds, 1), *broken)
    return load.into(Story(folder, rate=rate)).fault(3.0).healed(10.0, took=0.2).tell()


def failing(load: Load, *broken: tuple[float, float]) -> Load:
    ok = load.ok.copy()
    for begin, end in broken:
        ok &= ~((load.start_ns >= ns(begin)) & (load.start_ns < ns(end)))
    return replace(load, ok=ok)


def test_the_outage_itself_does_not_count_outside(tmp_path: Path) -> None:
    history = drill(tmp_path, DOWN)

    assert availability_outside(history).high == 100
    assert judge(SLO, history).verdict is Verdict.PASSED


def test_what_was_under_way_when_the_fault_came_belongs_to_it(tmp_path: Path) -> None:
    story = steady_load(1000, 10, 1).into(Story(tmp_path)).fault(3.0).healed(9.0)
    story.request(2.999, took=0.5, outcome="failed", reason="reset", status=0)

    assert availability_outside(story.tell()).note.startswith("0 of")


def test_failures_before_the_fault_fail_the_slo(tmp_path: Path) -> None:
    history = drill(tmp_path, (1.0, 1.1), DOWN)

    assert judge(SLO, history).verdict is Verdict.FAILED


def test_one_burst_proves_little(tmp_path: Path) -> None:
    """Eight of some 14,000 are better than 99.9 %, but they came together."""
    measured = availability_outside(drill(tmp_path, (1.0, 1.008), DOWN))

    assert measured.low < 99.9 < measured.high
    assert "clusters" in measured.note


def test_too_few_requests_are_unknown(tmp_path: Path) -> None:
    history = drill(tmp_path, rate=100.0)

    assert judge(SLO, history).verdict is Verdict.UNKNOWN


def test_without_a_fault_nothing_is_outside(tmp_path: Path) -> None:
    history = Story(tmp_path).request(1.0).tell()

    assert judge(SLO, history).verdict is Verdict.UNKNOWN


def test_the_warm_up_is_nobodys_promise(tmp_path: Path) -> None:
    load = failing(steady_load(1000, 16, 1), (0.0, 0.5))
    story = load.into(Story(tmp_path)).event("phase", 1.0, name="baseline").fault(3.0).healed(10.0)

    assert judge(SLO, story.tell()).verdict is Verdict.PASSED


def test_service_that_never_held_leaves_only_the_rest_outside(tmp_path: Path) -> None:
    history = drill(tmp_path, (3.0, 10.2))

    assert availability_outside(history).high == 100


@pytest.mark.parametrize(
    ("broken", "verdict"), [((3.0, 5.0), Verdict.PASSED), ((10.5, 10.6), Verdict.FAILED)]
)
def test_the_return_must_be_quiet(tmp_path: Path, broken: tuple[float, float], verdict: Verdict) -> None:
    assert judge(RETURN_IS_QUIET, drill(tmp_path, broken)).verdict is verdict


def test_the_return_is_unknown_when_nothing_was_healed_or_too_little_seen(tmp_path: Path) -> None:
    unhealed = steady_load(1000, 9, 1).into(Story(tmp_path / "unhealed")).fault(3.0).tell()
    short = drill(tmp_path / "short", seconds=12.0)

    assert availability_after_heal(unhealed).samples == 0
    assert judge(RETURN_IS_QUIET, short).verdict is Verdict.UNKNOWN


def writer_away(folder: Path, *, reads_fail: float) -> History:
    """Two seconds without transfers; this share of the balances fails too."""
    load = steady_load(1000, 12, 1)
    random = np.random.default_rng(1)
    story = Story(folder).fault(3.0).healed(10.0)
    for intended, number in zip(load.intended_ns, range(len(load.ok)), strict=True):
        at = (int(intended) - ns(0)) / 1e9
        is_read, is_down = number % 2 == 0, DOWN[0] <= at < DOWN[1]
        failed = is_down and (not is_read or random.random() < reads_fail)
        outcome = "failed" if failed else "ok"
        story.request(at, endpoint="balance" if is_read else "login", outcome=outcome)
    return story.tell()


@pytest.mark.parametrize(("reads_fail", "verdict"), [(0.0, Verdict.PASSED), (0.5, Verdict.FAILED)])
def test_reads_go_on_while_the_writer_is_away(tmp_path: Path, reads_fail: float, verdict: Verdict) -> None:
    assert judge(READS_GO_ON, writer_away(tmp_path, reads_fail=reads_fail)).verdict is verdict


def test_no_traffic_through_the_other_az_is_failed(tmp_path: Path) -> None:
    history = writer_away(tmp_path, reads_fail=1.0)

    assert judge(OTHER_AZ_GOES_ON, history).verdict is Verdict.FAILED
    assert reads_during_outage(history).high < 1


def test_an_outage_of_a_moment_is_judged_by_the_reads_after_it(tmp_path: Path) -> None:
    history = drill(tmp_path, (3.0, 3.01))

    assert reads_during_outage(history).samples == 500
    assert judge(OTHER_AZ_GOES_ON, history).verdict is Verdict.PASSED


def test_reads_without_a_fault_are_unknown(tmp_path: Path) -> None:
    assert judge(READS_GO_ON, Story(tmp_path).request(1.0).tell()).verdict is Verdict.UNKNOWN


def test_overall_is_a_count_and_as_wide_as_what_nobody_recorded(tmp_path: Path) -> None:
    story = Story(tmp_path, rate=1.0)
    for at in range(10):
        story.request(float(at), outcome="failed" if at == 3 else "ok")

    assert availability_overall(story.tell()).low == availability_overall(story.tell()).high == 90


def test_overall_is_wide_when_a_worker_was_lost(tmp_path: Path) -> None:
    story = Story(tmp_path, rate=2.0, footer=False).event("phase", 9.0, name="final reads")
    for at in range(10):
        story.request(float(at))

    measured = availability_overall(story.tell())

    assert 50 < measured.low < 55
    assert measured.high == 100


def test_throughout_is_a_claim_and_takes_enough_requests(tmp_path: Path) -> None:
    few, enough = (steady_load(1000, seconds, 1) for seconds in (2.9, 3.1))

    too_few = judge(SPOT_SLO, few.into(Story(tmp_path / "few")).tell())

    assert too_few.verdict is Verdict.UNKNOWN
    assert too_few.measurement.note.endswith("too few: 99.9 % takes 2,995 without a failure")
    assert judge(SPOT_SLO, enough.into(Story(tmp_path / "enough")).tell()).verdict is Verdict.PASSED


def test_throughout_takes_what_nobody_recorded_for_failed_at_worst(tmp_path: Path) -> None:
    story = Story(tmp_path, rate=2.0, footer=False).event("phase", 9.0, name="final reads")
    for at in range(10):
        story.request(float(at))

    measured = availability_throughout(story.tell())

    assert measured.low < 50
    assert (measured.high, measured.samples) == (100, 10)
    assert availability_throughout(Story(tmp_path / "none").tell()).samples == 0


def test_overall_of_nothing_is_blind(tmp_path: Path) -> None:
    assert availability_overall(Story(tmp_path).tell()).high == math.inf


def test_a_snapshot_that_the_drill_takes_for_itself_is_its_own_deed(tmp_path: Path) -> None:
    story = failing(steady_load(1000, 16, 1), (1.0, 1.1), DOWN).into(Story(tmp_path)).fault(3.0)
    history = story.healed(10.0).event("secure.start", 0.9).event("secure.end", 2.9).tell()

    assert judge(SLO, history).verdict is Verdict.PASSED
