"""A wall clock that is set amid a drill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart.drills import judge_drill
from blackstart.verdict import Verdict
from catalogue import DRILLS
from objectives import CLOCK_KEPT
from probes.clock_step import clock_step
from tests.histories import Story, ns, utc

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clock_that_runs_was_not_set(tmp_path: Path) -> None:
    measured = clock_step(Story(tmp_path).fault(1.0).event("x", 3600.0).tell())

    assert measured.high < 0.001


def test_a_clock_that_was_set_makes_a_drill_unknown_and_nobody_is_to_blame(tmp_path: Path) -> None:
    story = Story(tmp_path).request(0.5).fault(1.0)
    story.events.append({"at_ns": ns(20.0), "utc": utc(20.0 - 3600), "kind": "alarm", "name": "x"})
    judged = {j.objective: j for j in judge_drill(DRILLS["aurora-failover"], story.tell())}

    assert judged[CLOCK_KEPT].verdict is Verdict.UNKNOWN
    assert round(judged[CLOCK_KEPT].measurement.low) == 3600


def test_a_single_event_tells_nothing_of_the_clock(tmp_path: Path) -> None:
    assert clock_step(Story(tmp_path).event("x", 0.0).tell()).samples == 0
