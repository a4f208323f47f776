"""The record of a drill: everything that was planned, done, measured and judged, as one JSON value.

`record.schema.json` describes it. JSON knows no infinity: a bound that is unknown is null, so
`{"low": 40.0, "high": null}` reads "40 s or more", and two nulls read "not measured".
"""

from __future__ import annotations

import json
import math
import platform
from dataclasses import asdict
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from blackstart.drills import is_unhealed
from blackstart.history import OUTCOMES, History, Outcome
from reports import noticed, restores
from reports.earlier import comparisons
from reports.instrument import PROOFS, Instrument
from reports.timeline import sentence, since_zero_s, zero_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from blackstart.drills import DrillSpec
    from blackstart.staging import Facts
    from blackstart.verdict import Judgement, Measurement, Verdict

SCHEMA = "blackstart/record/1"
DISCREPANCIES_SHOWN = 20
NO_CODE: Mapping[str, str] = MappingProxyType({"commit": "unknown", "tree": "unknown"})


class MeasuredRecord(TypedDict):
    """A measurement; null where nothing bounds it. `never`: what was waited for cannot come any more."""

    low: float | None
    high: float | None
    unit: str
    samples: int
    note: str
    never: NotRequired[bool]


class ObjectiveRecord(TypedDict):
    """A promise, what was measured for it, and the verdict."""

    name: str
    bound: str
    limit: float
    unit: str
    clause: str
    promise: str
    measured: MeasuredRecord
    verdict: str


class LeftRecord(TypedDict):
    """What costs money after the drill: how much of it was looked at, and what was not there before."""

    looked_at: int
    regions: list[str]
    found: list[str]


class Record(TypedDict):
    """See record.schema.json."""

    schema: str
    drill: str
    title: str
    experiment: str
    run: str
    seed: int
    rate_per_s: float
    zero: dict[str, Any]
    staging: dict[str, Any]
    executor: dict[str, str]
    code: dict[str, str]
    versions: dict[str, str]
    load: dict[str, int]
    phases: list[dict[str, Any]]
    fault: dict[str, Any] | None
    bite: dict[str, Any]
    alarms: noticed.AlarmsRecord
    preconditions: list[ObjectiveRecord]
    objectives: list[ObjectiveRecord]
    recovery: MeasuredRecord | None
    figures: list[dict[str, Any]]
    compared: list[dict[str, Any]]
    instrument: Instrument
    discrepancies: dict[str, Any]
    runbook: restores.RunbookRecord | None
    lost: restores.LostRecord
    left: LeftRecord | None
    verdict: str
    exit_code: int
    reasons: list[str]
    timeline: list[dict[str, Any]]
    not_shown: list[str]


def build(
    spec: DrillSpec,
    *,
    run: str,
    facts: Facts,
    history: History,
    judgements: Sequence[Judgement],
    verdict: Verdict,
    exit_code: int,
    rate_per_s: float,
    seed: int,
    reasons: Iterable[str] = (),
    discrepancies: Sequence[Mapping[str, str]] = (),
    lost: Sequence[Mapping[str, Any]] = (),
    earlier: Iterable[Any] = (),
    executor: Mapping[str, str] = MappingProxyType({}),
    code: Mapping[str, str] = NO_CODE,
    proofs: Instrument | None = None,
) -> Record:
    """Build the record. A drill that was stopped early has no judgements and a shorter timeline.

    `executor` and `code` are those of the plan.
    """
    preconditions = [_judged(j) for j in judgements if j.objective in spec.preconditions]
    objectives = [_judged(j) for j in judgements if j.objective in spec.objectives]
    recovery = [_measured(j.measurement) for j in judgements if j.objective is spec.recovery]
    built = Record(
        schema=SCHEMA, drill=spec.name, title=spec.title, experiment=spec.experiment, run=run,
        seed=seed, rate_per_s=rate_per_s, zero=_zero(history), staging=_staging(facts),
        executor=dict(executor), code=dict(code), versions=_versions(), load=_load(history),
        phases=_phases(history), fault=_fault(history), bite=_bite(history), alarms=noticed.alarms(history),
        preconditions=preconditions, objectives=objectives, recovery=recovery[0] if recovery else None,
        figures=_figures(spec, history) if judgements and not is_unhealed(history) else [],
        discrepancies={
            "total": len(discrepancies), "first": [dict(d) for d in discrepancies[:DISCREPANCIES_SHOWN]],
        },
        runbook=restores.runbook(history), lost=restores.lost(lost), left=_left(history),
        verdict=verdict.value, exit_code=int(exit_code), reasons=list(reasons),
        timeline=_timeline(history, recovery[0] if recovery else None), not_shown=list(spec.not_shown),
        compared=[], instrument=proofs or dict.fromkeys(PROOFS),
    )  # fmt: skip
    built["compared"] = comparisons(built, earlier) if judgements else []
    return built


def dumps(record: Record) -> str:
    """Return the record as text, the same bytes for the same record."""
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _judged(judgement: Judgement) -> ObjectiveRecord:
    promise = judgement.objective
    return ObjectiveRecord(
        name=promise.name, bound=promise.bound, limit=promise.limit, unit=promise.unit, clause=promise.clause,
        promise=promise.promise, measured=_measured(judgement.measurement), verdict=judgement.verdict.value,
    )  # fmt: skip


def _measured(measurement: Measurement) -> MeasuredRecord:
    measured = MeasuredRecord(
        low=_finite(measurement.low), high=_finite(measurement.high), unit=measurement.unit,
        samples=measurement.samples, note=measurement.note,
    )  # fmt: skip
    if measurement.low == math.inf:
        measured["never"] = True
    return measured


def _finite(bound: float) -> float | None:
    return float(bound) if math.isfinite(bound) else None


def _figures(spec: DrillSpec, history: History) -> list[dict[str, Any]]:
    return [{"name": figure.name, "measured": _measured(figure.measure(history))} for figure in spec.figures]


def _zero(history: History) -> dict[str, Any]:
    at_ns = zero_ns(history)
    utc = next((event.utc for event in history.events if event.at_ns == at_ns), None)
    return {"is": "injection" if history.event("inject.start") else "start", "utc": utc}


def _staging(facts: Facts) -> dict[str, Any]:
    described = asdict(facts)
    return {**described, "defects": list(facts.defects)}


def _versions() -> dict[str, str]:
    ours = {name: version(name) for name in ("blackstart", "chaostoolkit", "chaostoolkit-lib", "locust")}
    return {**ours, "python": platform.python_version(), "system": platform.platform()}


def _load(history: History) -> dict[str, int]:
    requests = history.requests
    ended = {str(name): int((requests.outcome == OUTCOMES.index(name)).sum()) for name in Outcome}
    dropped = int(requests.dropped.sum())
    return {"workers": len(history.headers), "requests": len(requests), **ended, "dropped": dropped}


def _phases(history: History) -> list[dict[str, Any]]:
    events = [event for event in history.events if event.kind == "phase"]
    ends = [event.at_ns for event in events[1:]] + [history.events[-1].at_ns] if events else []
    return [
        {
            "name": str(event.detail["name"]), "utc": event.utc,
            "from_s": since_zero_s(history, event.at_ns), "until_s": since_zero_s(history, end_ns),
        }
        for event, end_ns in zip(events, ends, strict=True)
    ]  # fmt: skip


def _fault(history: History) -> dict[str, Any] | None:
    start, end = history.event("inject.start"), history.event("inject.end")
    if start is None:
        return None
    return {
        "name": str(start.detail.get("fault", "")), "targets": list(start.detail.get("targets", ())),
        "injecting_s": since_zero_s(history, end.at_ns) if end else None,
    }  # fmt: skip


def _bite(history: History) -> dict[str, Any]:
    bites = [event.detail for event in history.events if event.kind == "bite"]
    if not bites:
        return {"confirmed": False, "evidence": "nobody looked"}
    return {
        "confirmed": all(bite["confirmed"] for bite in bites),
        "evidence": "; ".join(str(bite["evidence"]) for bite in bites),
    }


def _left(history: History) -> LeftRecord | None:
    event = history.event("left")
    if event is None:
        return None
    seen = event.detail
    return LeftRecord(looked_at=seen["looked_at"], regions=list(seen["regions"]), found=list(seen["found"]))


def _timeline(history: History, recovery: MeasuredRecord | None) -> list[dict[str, Any]]:
    happened = [
        {"at_s": since_zero_s(history, event.at_ns), "utc": event.utc, "what": sentence(event)}
        for event in history.events
    ]
    if recovery and recovery["high"] is not None:
        held_s = round(recovery["high"], 3)
        happened.append({"at_s": held_s, "utc": None, "what": "SERVICE HELD AGAIN, by what the load saw"})
    return sorted(happened, key=lambda line: line["at_s"])
