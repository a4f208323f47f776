"""What was measured, what was promised, and whether the promise was kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blackstart.history import History


RISK = 0.05  # each bound of a measured share is right with 95 % confidence, see `probes.proportion`


class Verdict(Enum):
    """PASSED, UNKNOWN or FAILED; `worst` orders them."""

    PASSED = "PASSED"
    UNKNOWN = "UNKNOWN"
    FAILED = "FAILED"


_SEVERITY = {Verdict.PASSED: 0, Verdict.UNKNOWN: 1, Verdict.FAILED: 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of the verdicts; none at all proves nothing, so that is UNKNOWN."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A closed interval `[low, high]`; its width is what we do not know.

    `samples` is the number of requests, records or events behind it; `note` says in a sentence
    how it came about or why it is wide.
    """

    low: float
    high: float
    unit: str
    samples: int
    note: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or self.low > self.high:
            raise ValueError(f"not a closed interval: [{self.low}, {self.high}]")


def blind(unit: str, why: str) -> Measurement:
    """Return the measurement of a probe that could not look: anything is possible."""
    return Measurement(low=-math.inf, high=math.inf, unit=unit, samples=0, note=why)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One promise: a probe, the limit on what it measures, and the clause where it is written."""

    name: str
    probe: Callable[[History], Measurement]
    bound: Literal["at most", "at least"]
    limit: float
    unit: str
    clause: str
    promise: str
    unaided: bool = False  # measured until healing began: nothing that it did has part in it


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """An objective, what was measured for it, and the verdict."""

    objective: Objective
    measurement: Measurement
    verdict: Verdict


def at_most(
    limit: float, unit: str, probe: Callable[[History], Measurement], *, name: str, clause: str, promise: str,
    unaided: bool = False,
) -> Objective:  # fmt: skip
    """Promise that what `probe` measures is `limit` or less."""
    return Objective(
        name=name, probe=probe, bound="at most", limit=limit, unit=unit, clause=clause, promise=promise,
        unaided=unaided,
    )  # fmt: skip


def at_least(
    limit: float, unit: str, probe: Callable[[History], Measurement], *, name: str, clause: str, promise: str,
    unaided: bool = False,
) -> Objective:  # fmt: skip
    """Promise that what `probe` measures is `limit` or more."""
    return Objective(
        name=name, probe=probe, bound="at least", limit=limit, unit=unit, clause=clause, promise=promise,
        unaided=unaided,
    )  # fmt: skip


def judge(objective: Objective, history: History) -> Judgement:
    """Measure and judge one objective. A probe that crashes has not measured: UNKNOWN."""
    try:
        measurement = objective.probe(history)
    except Exception as error:  # noqa: BLE001 - whatever broke the probe, it has proven nothing
        measurement = blind(objective.unit, f"the probe broke: {type(error).__name__}: {error}")
    verdict = _compare(objective, measurement)
    if verdict is Verdict.UNKNOWN and measurement.samples < (needed := requests_needed(objective)):
        why = f"{measurement.note}; too few: {objective.limit:g} % takes {needed:,} without a failure"
        measurement = replace(measurement, note=why)
    return Judgement(objective=objective, measurement=measurement, verdict=verdict)


def requests_needed(objective: Objective) -> int:
    """Return how many requests, none of which fails, show a promised share; 0 for any other promise.

    The least n for which `limit ** n` is at most RISK: were the share just missed, n good ones in a row would
    be that unlikely.
    """
    if objective.unit != "%" or objective.bound != "at least" or not 0 < objective.limit < 100:  # noqa: PLR2004 - percent
        return 0
    return math.ceil(math.log(RISK) / math.log(objective.limit / 100))


def _compare(objective: Objective, measurement: Measurement) -> Verdict:
    """PASSED when the whole interval keeps the promise, FAILED when none of it does, else UNKNOWN."""
    if measurement.unit != objective.unit:
        raise ValueError(f"{objective.name}: measured in {measurement.unit}, promised in {objective.unit}")
    best, worst_case = measurement.low, measurement.high
    if objective.bound == "at least":
        best, worst_case = -measurement.high, -measurement.low
    limit = objective.limit if objective.bound == "at most" else -objective.limit
    if worst_case <= limit:
        return Verdict.PASSED
    return Verdict.FAILED if best > limit else Verdict.UNKNOWN
