"""Whether a bundle is true: measure all of it again from its raw history, say where the record differs.

The promises are those that were frozen before the drill; the probes are those of whoever verifies. A record
that an insider edited and signed properly is found out here: the history still says what happened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from blackstart.drills import judge_drill
from blackstart.exit_code import NOT_AS_BEFORE, UNHEALED, ExitCode
from blackstart.staging import Facts
from blackstart.verdict import Verdict, worst
from reports import instrument, record
from reports.evidence import derived
from reports.evidence.differences import differences
from reports.evidence.plan import PLAN, Plan, code_told, promised, read
from reports.evidence.sums import Problem, sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.history import History
    from blackstart.verdict import Judgement, Objective
    from reports.evidence.plan import Promise
    from reports.record import Record

_UNKNOWABLE = ("versions", "compared")


@dataclass(frozen=True, kw_only=True)
class Measurer:
    """What measuring again takes, from whoever verifies."""

    specs: Mapping[str, DrillSpec]
    pages: Mapping[str, bytes]  # of promises and of drills, by name, as they are here
    pages_of: Callable[[str], Mapping[str, bytes]]  # as they are in a commit; none when it is not at hand
    code: str  # git commit, "clean" or "dirty"
    discrepancies: Callable[[DrillSpec, History], Sequence[Mapping[str, str]]]
    lost: Callable[[History], Sequence[Mapping[str, Any]]]
    doubts: Callable[[Path], Sequence[str]]  # what Chaos Toolkit's journal leaves unproven


@dataclass(kw_only=True)
class Again:
    """What measuring again has shown."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)  # what could not be made, or compared, again
    measurements: int = 0
    verdicts: int = 0


class CannotMeasure(Exception):
    """This version cannot measure that bundle; the message says why."""


def measure_again(folder: Path, history: History, here: Measurer) -> Again:
    """Rebuild the record from the raw history and compare. Raises CannotMeasure."""
    plan, told = _read(folder)
    spec = here.specs.get(plan["drill"])
    if spec is None:
        raise CannotMeasure(f"this version knows no drill {plan['drill']!r}")
    found = Again()
    is_same_code = here.code == code_told(plan["code"]) and here.code.endswith(" clean")
    if not is_same_code:
        made_by = f"{plan['code']['commit'][:12]} {plan['code']['tree']}"
        found.notes.append(f"measured again by other code ({here.code[:18]}) than made it ({made_by})")
    found.problems += _frozen_files(folder, plan)
    _promises(folder, plan, spec, here, found, is_same_code=is_same_code)
    rebuilt, wrong, gone = _rebuild(_as_frozen(spec, plan), plan, history, told, here)
    rebuilt["instrument"] = instrument.read(folder)
    found.problems += _unsaid_doubts(folder, told, rebuilt, here)
    found.measurements = len(rebuilt["preconditions"]) + len(rebuilt["objectives"]) + len(rebuilt["figures"])
    found.verdicts = len(rebuilt["preconditions"]) + len(rebuilt["objectives"]) + 1
    departs = [
        *differences("record.json", told, json.loads(record.dumps(rebuilt))),
        *differences("reconciliation.json", json.loads((folder / "reconciliation.json").read_bytes()), wrong),
    ]
    shown = [*derived.differences(folder, rebuilt, history, gone), *derived.checklists(folder, history)]
    found.problems += [d.problem for d in (*departs, *shown) if is_same_code or d.is_of_substance]
    if not is_same_code:
        found.notes += [str(d) for d in (*departs, *shown) if not d.is_of_substance]
        # what people look at, in bytes that this code would not make: nobody can tell whether it was edited
        not_made = sorted({d.file for d in shown if not d.is_of_substance})
        found.unproven += [f"{name} was not made again" for name in not_made]
    return found


def _read(folder: Path) -> tuple[Plan, Record]:
    try:
        return read(folder), json.loads((folder / "record.json").read_bytes())
    except (OSError, ValueError) as error:
        raise CannotMeasure(f"plan or record cannot be read: {error}") from error


def _frozen_files(folder: Path, plan: Plan) -> Iterator[Problem]:
    for name, digest in plan["hashes"].items():
        if sha256(folder / name) != digest:
            yield Problem(check="plan", where=name, what="is not the file that the plan froze")
    begun = json.loads((folder / "drill.json").read_bytes())
    if (begun["name"], begun["traffic"]) != (plan["drill"], plan["traffic"]):
        yield Problem(check="plan", where="drill.json", what="names another drill or load than the plan")


def _promises(
    folder: Path, plan: Plan, spec: DrillSpec, here: Measurer, found: Again, *, is_same_code: bool
) -> None:
    """Hold the pages against the commit that the plan names, and the plan against the pages that are ours.

    What other pages promise cannot be compared: that they were not ours is told, and proves nothing.
    """
    commit = plan["code"]["commit"]
    known = here.pages if is_same_code else here.pages_of(commit) if plan["code"]["tree"] == "clean" else {}
    found.problems += [
        Problem(check="plan", where=page, what=f"is not the page of the commit {commit[:12]}, which ran")
        for page in _others(folder, known)
    ]
    others = _others(folder, here.pages)
    if not others:
        found.problems += _promised_otherwise(plan, spec, here.pages)
    elif not is_same_code:
        found.unproven.append(f"the promises were not compared: {' and '.join(others)} here are other ones")


def _others(folder: Path, pages: Mapping[str, bytes]) -> list[str]:
    return [page for page, text in pages.items() if (folder / page).read_bytes() != text]


def _promised_otherwise(plan: Plan, spec: DrillSpec, pages: Mapping[str, bytes]) -> Iterator[Problem]:
    for name, value in json.loads(json.dumps(promised(spec))).items():
        if dict(plan)[name] != value:
            what = f"its {name} are not those of {' and '.join(pages)} beside it"
            yield Problem(check="plan", where=PLAN, what=what)


def _as_frozen(spec: DrillSpec, plan: Plan) -> DrillSpec:
    """Return the drill with today's probes under the promises of then. Raises CannotMeasure."""
    known = {objective.name: objective for objective in (*spec.preconditions, *spec.objectives)}
    preconditions = tuple(_frozen(known, promise) for promise in plan["preconditions"])
    objectives = tuple(_frozen(known, promise) for promise in plan["objectives"])
    recovery = next((o for o in objectives if o.name == plan["recovery"]), None)
    if recovery is None:
        raise CannotMeasure("the plan does not say which promise is the recovery")
    figures = {figure.name: figure for figure in spec.figures}
    return replace(
        spec, title=plan["title"], experiment=plan["experiment"], preconditions=preconditions,
        objectives=objectives, recovery=recovery, not_shown=tuple(plan["not_shown"]),
        figures=tuple(figures[name] for name in plan["figures"] if name in figures),
    )  # fmt: skip


def _frozen(known: Mapping[str, Objective], promise: Promise) -> Objective:
    if promise["name"] not in known:
        raise CannotMeasure(f"this version has no promise {promise['name']!r}")
    terms = {name: value for name, value in promise.items() if name != "probe"}
    return replace(known[promise["name"]], **terms)  # type: ignore[arg-type]


def _rebuild(
    spec: DrillSpec, plan: Plan, history: History, told: Record, here: Measurer
) -> tuple[Record, list[dict[str, str]], Sequence[Mapping[str, Any]]]:
    reasons = [str(event.detail["reason"]) for event in history.events if event.kind == "doubt"]
    judgements = judge_drill(spec, history) if _is_judged(history) else ()
    wrong = [dict(found) for found in here.discrepancies(spec, history)] if judgements else []
    gone = here.lost(history) if judgements else ()
    verdict = worst(
        [*(j.verdict for j in judgements), *([Verdict.UNKNOWN] if reasons or not judgements else [])]
    )
    facts = {**plan["staging"], "defects": tuple(plan["staging"]["defects"])}
    rebuilt = record.build(
        spec, run=plan["run"], facts=Facts(**facts), history=history, judgements=judgements, verdict=verdict,
        exit_code=_exit_code(judgements, verdict, reasons, history), rate_per_s=plan["traffic"]["rate"],
        seed=plan["traffic"]["seed"], reasons=reasons, discrepancies=wrong,
        lost=gone, executor=plan["executor"], code=plan["code"],
    )  # fmt: skip
    # versions of then, and how other runs went, are nowhere else in a bundle: nothing can be said about them
    unknowable = {name: told[name] for name in _UNKNOWABLE if name in told}  # type: ignore[literal-required]
    return {**rebuilt, **unknowable}, wrong, gone  # type: ignore[typeddict-item]


def _is_judged(history: History) -> bool:
    """A drill is judged when it injected and was not stopped, whatever its record says."""
    return history.event("inject.start") is not None and history.event("stopped") is None


def _exit_code(
    judgements: Sequence[Judgement], verdict: Verdict, reasons: Sequence[str], history: History
) -> ExitCode:
    if any(reason.startswith((UNHEALED, NOT_AS_BEFORE)) for reason in reasons):
        return ExitCode.NOT_HEALED
    if judgements:
        return ExitCode.of(verdict)
    if history.event("stopped") is not None:
        return ExitCode.STOPPED
    return ExitCode.REFUSED if any("Refused:" in reason for reason in reasons) else ExitCode.UNKNOWN


def _unsaid_doubts(folder: Path, told: Record, rebuilt: Record, here: Measurer) -> Iterator[Problem]:
    """Chaos Toolkit's journal is a second witness: what it leaves unproven must be among the reasons."""
    if not rebuilt["objectives"]:
        return
    for doubt in here.doubts(folder):
        if doubt not in told["reasons"]:
            yield Problem(check="journal", where="journal.json", what=f"the record is silent about: {doubt}")
