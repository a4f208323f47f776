"""The first alarm after the fault."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from blackstart.verdict import Verdict, judge
from objectives import DETECTED
from probes.detection_time import database_alarm, detection_time, interruption_alarm
from tests.histories import Story

if TYPE_CHECKING:
    from pathlib import Path


def story(folder: Path, names: tuple[str, ...] = ("no-writer", "5xx")) -> Story:
    watched = Story(folder).event("alarms.watched", 0.0, names=list(names))
    return watched.fault(10.0, took=0.5).event("alarms.unwatched", 100.0, errors=0)


def test_the_first_alarm_after_the_fault_counts(tmp_path: Path) -> None:
    told = story(tmp_path).event("alarm", 14.0, name="5xx", state="ALARM")
    told.event("alarm", 12.0, name="no-writer", state="OK").event("alarm", 20.0, name="x", state="ALARM")

    measured = detection_time(told.tell())

    assert (measured.low, measured.high) == (3.5, 4.0)
    assert measured.note == "5xx went off first"


def test_an_alarm_that_was_on_before_does_not_count(tmp_path: Path) -> None:
    history = story(tmp_path).event("alarm", 9.0, name="5xx", state="ALARM").tell()

    assert detection_time(history).high == math.inf


@pytest.mark.parametrize(("at", "verdict"), [(60.0, Verdict.PASSED), (80.0, Verdict.FAILED)])
def test_a_late_alarm_fails(tmp_path: Path, at: float, verdict: Verdict) -> None:
    history = story(tmp_path).event("alarm", at, name="5xx", state="ALARM").tell()

    assert judge(DETECTED, history).verdict is verdict


def test_silence_fails_when_it_was_watched_for_long_enough(tmp_path: Path) -> None:
    assert judge(DETECTED, story(tmp_path).tell()).verdict is Verdict.FAILED
    assert detection_time(story(tmp_path).tell()).low == 89.5


def test_silence_is_unknown_when_the_watch_blinked(tmp_path: Path) -> None:
    history = story(tmp_path).event("watch.blind", 30.0, error="timeout").tell()

    assert judge(DETECTED, history).verdict is Verdict.UNKNOWN


def test_unwatched_alarms_are_unknown(tmp_path: Path) -> None:
    nobody = Story(tmp_path / "nobody").fault(10.0).event("alarm", 11.0, name="5xx", state="ALARM").tell()
    no_fault = Story(tmp_path / "no-fault").event("alarms.watched", 0.0, names=["5xx"]).tell()

    assert [detection_time(history).samples for history in (nobody, no_fault)] == [0, 0]
    assert judge(DETECTED, nobody).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("heard", [[], ["no-writer"]])
def test_an_alarm_that_nobody_hears_is_silence(tmp_path: Path, heard: list[str]) -> None:
    told = Story(tmp_path).event("alarms.watched", 0.0, names=["no-writer", "5xx"], heard=heard)
    told.fault(10.0).event("alarm", 11.0, name="5xx", state="ALARM").event(
        "alarms.unwatched", 100.0, errors=0
    )

    assert judge(DETECTED, told.tell()).verdict is Verdict.FAILED


def test_where_there_is_no_alarm_nobody_is_told(tmp_path: Path) -> None:
    assert judge(DETECTED, story(tmp_path, names=()).tell()).verdict is Verdict.FAILED


def test_the_alarm_of_what_failed_is_asked_for_by_name(tmp_path: Path) -> None:
    told = story(tmp_path, names=("5xx", "ledger-writer-unavailable"))
    told.event("alarm", 11.0, name="5xx", state="ALARM")
    told.event("alarm", 30.0, name="ledger-writer-unavailable", state="ALARM")

    assert database_alarm(told.tell()).high == 20.0
    assert interruption_alarm(told.tell()).high == math.inf
