"""CloudWatch's evaluator: what state an alarm has, from the last periods of its metric."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

_COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
}
_FILLED = {"breaching": True, "notBreaching": False}


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one period, or a part of one, saw of a metric."""

    at_s: float  # seconds since the epoch
    minimum: float
    maximum: float
    total: float
    count: float

    @classmethod
    def of(cls, at_s: float, value: float) -> Point:
        """Make a point of one sample."""
        return cls(at_s=at_s, minimum=value, maximum=value, total=value, count=1)


_STATISTICS: Mapping[str, Callable[[Sequence[Point]], float]] = {
    "Minimum": lambda points: min(point.minimum for point in points),
    "Maximum": lambda points: max(point.maximum for point in points),
    "Sum": lambda points: sum(point.total for point in points),
    "Average": lambda points: sum(point.total for point in points) / sum(point.count for point in points),
    "SampleCount": lambda points: sum(point.count for point in points),
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When an alarm goes off."""

    statistic: str
    comparison: str
    threshold: float
    period_s: int
    periods: int
    datapoints: int
    missing: str  # "breaching", "notBreaching", "ignore" or "missing"

    @classmethod
    def of(cls, alarm: Any) -> Rule | None:
        """Read it from moto's alarm; None for what we cannot judge: expressions, composites, percentiles."""
        if alarm.rule or alarm.metric_data_queries or alarm.statistic not in _STATISTICS:
            return None
        periods = int(alarm.evaluation_periods)
        return cls(
            statistic=alarm.statistic, comparison=alarm.comparison_operator, threshold=float(alarm.threshold),
            period_s=int(alarm.period), periods=periods, datapoints=int(alarm.datapoints_to_alarm or periods),
            missing=alarm.treat_missing_data or "missing",
        )  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """The state, and why in CloudWatch's words."""

    state: State
    reason: str
    values: tuple[float | None, ...]


def series(points: Sequence[Point], rule: Rule, now_s: float) -> tuple[float | None, ...]:
    """Return the statistic of the last complete periods, oldest first; None where there was no data."""
    end = now_s // rule.period_s
    wanted = [end - back for back in range(rule.periods, 0, -1)]
    by_period = {
        number: [point for point in points if point.at_s // rule.period_s == number] for number in wanted
    }
    statistic = _STATISTICS[rule.statistic]
    return tuple(statistic(found) if (found := by_period[number]) else None for number in wanted)


def judge(values: Sequence[float | None], rule: Rule, before: State) -> Judgement:
    """Judge one alarm. Missing data can only prevent an alarm that it could not have caused."""
    compare, words = _COMPARISONS[rule.comparison]
    breaches = [
        _FILLED.get(rule.missing) if value is None else compare(value, rule.threshold) for value in values
    ]
    state = _state(breaches, rule, before)
    return Judgement(state, _reason(values, rule, state, words), tuple(values))


def _state(breaches: Sequence[bool | None], rule: Rule, before: State) -> State:
    bad, unknown = breaches.count(True), breaches.count(None)
    if bad >= rule.datapoints:
        return "ALARM"
    if bad + unknown < rule.datapoints:
        return "OK"
    if rule.missing == "ignore":
        return before
    if unknown == len(breaches):
        return "INSUFFICIENT_DATA"
    # as if the missing ones agreed with those that are there
    return "ALARM" if bad else "OK"


def _reason(values: Sequence[float | None], rule: Rule, state: State, words: str) -> str:
    known = [value for value in values if value is not None]
    if state == "INSUFFICIENT_DATA":
        return "Insufficient Data: no datapoints were received."
    if not known:
        none = f"no datapoints were received for {len(values)} period(s)"
        return f"Threshold Crossed: {none}, treated as {rule.missing}."
    plural = "s" if len(known) > 1 else ""
    verb = "were" if len(known) > 1 else "was"
    negation = "" if state == "ALARM" else "not "
    return (
        f"Threshold Crossed: {len(known)} datapoint{plural} {known} {verb} {negation}{words} "
        f"the threshold ({rule.threshold})."
    )
