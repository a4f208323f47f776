from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from calibration.availability import Availability
from calibration.judge import Reading
from calibration.losses import Loss
from calibration.summary import OUTAGE_HEADS, build, outage_rows

READING = Reading(
    kind="5xx", seconds=0.5, rate=1000.0, schedule="constant", workers=1, generator_stops=False, seed=1,
    true_low_s=0.5, true_high_s=0.5, is_outage=True, is_close=False, low_s=0.499, high_s=0.505,
    width_ms=6.0, covered=True, kept_time=True, lag_ms_max=3.0, is_void=False, hits=500, verdict="PASSED",
    poller_s=1.0, stock_s=0.49,
)  # fmt: skip
LOSS = Loss(
    how="the last 7", true_lost=7, measured_lost=(7, 7), true_age_s=1.0, measured_age_s=(0.9, 1.0),
    true_kinds={"gone": 7}, measured_kinds={"gone": 7}, right=True,
)  # fmt: skip


def test_everything_covered_is_right() -> None:
    found = build([READING, replace(READING, seed=2, width_ms=8.0)], [LOSS], [])

    summary = found["summary"]
    assert summary["right"]
    assert (summary["outages"], summary["truth covered"]) == (2, 2)
    assert summary["widths"] == [
        {"rate": 1000.0, "outages": 2, "median ms": 7.0, "max ms": 8.0, "goal ms": 20.0, "over the goal": 0}
    ]
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))


def test_one_truth_outside_is_wrong_and_so_is_nothing_at_all() -> None:
    assert not build([READING, replace(READING, covered=False)], [LOSS], [])["summary"]["right"]
    assert not build([READING], [replace(LOSS, right=False)], [])["summary"]["right"]
    assert not build([READING], [LOSS], [], ["5xx at 100/s: no load"])["summary"]["right"]
    assert not build([], [], [])["summary"]["right"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"high_s": None, "width_ms": None}, 1),  # [0, inf] holds every truth
        ({"high_s": None, "width_ms": None, "kind": "half"}, 1),
        ({"high_s": None, "width_ms": None, "kept_time": False}, 0),
        ({"high_s": None, "width_ms": None, "schedule": "poisson"}, 0),
        ({"width_ms": 20.1}, 1),
        ({"width_ms": 20.0}, 0),
        ({"width_ms": 150.0, "kind": "half"}, 0),  # it lets requests through
        ({"width_ms": 39.0, "rate": 100.0}, 0),
        ({"width_ms": 41.0, "rate": 100.0}, 1),
    ],
)
def test_an_interval_that_says_nothing_is_wrong_when_the_generator_kept_time(
    changes: dict[str, Any], wrong: int
) -> None:
    summary = build([READING, replace(READING, **changes)], [], [])["summary"]

    assert (summary["wrong"], summary["right"]) == (wrong, not wrong)
    assert summary["truth covered"] == 2


def test_what_is_left_is_not_right_yet_and_not_wrong() -> None:
    summary = build([READING], [LOSS], [], left=1)["summary"]

    assert (summary["right"], summary["wrong"]) == (False, 0)


def test_an_availability_without_its_load_is_not_right_and_not_wrong() -> None:
    void = Availability(
        rate=100.0, outage_s=5.0, intended=900, true_bad=500, analytic_bad=500.0, measured_bad=400,
        true_percent=44.0, measured_percent=(50.0, 60.0), stock_percent=None, stock_requests=0, is_void=True,
        right=False,
    )  # fmt: skip
    summary = build([READING], [], [void])["summary"]

    assert (summary["wrong"], summary["availabilities"], summary["availabilities right"]) == (0, 0, 0)
    assert build([], [], [replace(void, is_void=False)])["summary"]["wrong"] == 1


def test_the_code_is_named() -> None:
    assert build([READING], [], [], codes=["abc clean"])["code"] == ["abc clean"]


def test_widths_of_a_generator_that_was_late_are_not_held_against_the_goal() -> None:
    late = replace(READING, kept_time=False, width_ms=300.0)

    assert build([READING, late], [], [])["summary"]["widths"][0]["max ms"] == 6.0


def test_an_unbounded_measurement_is_counted_as_such() -> None:
    unknown = replace(READING, high_s=None, width_ms=None)

    row = dict(zip(OUTAGE_HEADS, outage_rows([READING, unknown])[0], strict=True))
    assert (row["covered"], row["unbounded"], row["width ms, median"]) == ("2/2", "1", "6.0")
    assert build([unknown], [], [])["summary"]["of them without an upper bound"] == 1
    assert not build([unknown], [], [])["summary"]["right"]


def test_what_a_target_that_stood_still_said_counts_neither_way() -> None:
    void = replace(READING, covered=False, is_void=True)

    summary = build([READING, void], [LOSS], [])["summary"]
    assert summary["right"]
    assert summary["outages"] == 1
    assert summary["void beside these, for the truth is not known"] == 1
    assert not build([void], [], [])["summary"]["right"]
