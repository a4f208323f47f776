"""The evaluator of alarms, on series of a few datapoints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from staging.local.alarms import Point, Rule, State, judge, series

RULE = Rule(
    statistic="Minimum", comparison="LessThanThreshold", threshold=1.0, period_s=10, periods=3, datapoints=2,
    missing="missing",
)  # fmt: skip


def state(values: list[float | None], missing: str = "missing", before: State = "OK") -> State:
    return judge(values, replace(RULE, missing=missing), before).state


def test_enough_breaching_datapoints_make_an_alarm() -> None:
    assert state([1, 0, 0]) == "ALARM"
    assert state([0, 1, 0]) == "ALARM"


def test_too_few_breaching_datapoints_make_none() -> None:
    assert state([1, 1, 0]) == "OK"


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("breaching", "ALARM"), ("notBreaching", "OK"), ("ignore", "ALARM")],
)
def test_no_data_at_all_is_treated_as_was_asked_for(missing: str, expected: State) -> None:
    assert state([None, None, None], missing, before="ALARM") == expected


def test_missing_data_cannot_turn_good_data_into_an_alarm() -> None:
    assert state([1, None, 1]) == "OK"
    assert state([1, None, None]) == "OK"


def test_missing_data_agrees_with_what_is_there() -> None:
    assert state([None, None, 0]) == "ALARM"


def test_the_reason_is_in_cloudwatchs_words() -> None:
    judgement = judge([0.0], replace(RULE, periods=1, datapoints=1), "OK")

    assert judgement.reason == "Threshold Crossed: 1 datapoint [0.0] was less than the threshold (1.0)."


def test_only_complete_periods_count() -> None:
    points = [Point.of(100, 5), Point.of(109, 3), Point.of(110, 2), Point.of(131, 0)]

    assert series(points, RULE, now_s=135.0) == (3, 2, None)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Minimum", 1), ("Maximum", 6), ("Sum", 10), ("Average", 2.5), ("SampleCount", 4)],
)
def test_statistics_over_samples_and_aggregates(statistic: str, expected: float) -> None:
    points = [Point.of(0, 6), Point(at_s=1, minimum=1, maximum=2, total=4, count=3)]
    rule = replace(RULE, statistic=statistic, periods=1)

    assert series(points, rule, now_s=10.0) == (expected,)
