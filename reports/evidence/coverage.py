"""Which component was put to the test by which drill, when last, and how that ended; what is still open.

One static page for auditors, made from the run ledger, the map of controls and the register of findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reports.evidence.runs import FINISHED, STARTED
from reports.markup import framed, listed, table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import date

    from reports.evidence.controls import Controls
    from reports.evidence.register import Finding
    from reports.evidence.runs import Runs

NEVER = "never"
NOT_SEALED, NOT_ENDED = "UNKNOWN, not sealed", "UNKNOWN, never ended"


@dataclass(frozen=True, kw_only=True)
class Covered:
    """A drill of a component on a staging, and its last run; absent evidence is worse than a bad one."""

    component: str
    drill: str
    staging: str  # "" when it was never run
    run: str  # "" when it was never run
    verdict: str  # NEVER, NOT_ENDED, NOT_SEALED, or what the seal of its last run says
    age_days: int | None  # since its last run began
    is_stale: bool
    runs: int  # also those that never ended
    failed: int  # how many of all its runs did not pass


@dataclass(frozen=True, kw_only=True)
class _Run:
    name: str
    drill: str
    staging: str
    began: date
    verdict: str


def covered(runs: Runs, controls: Controls, drills: Collection[str], today: date) -> tuple[Covered, ...]:
    """Return a row for each component, drill and staging on which it was run. Raises ChainBroken.

    `drills` are those that exist: a component whose drill does not is shown as never tested.
    """
    begun = _begun(runs)
    rows = []
    for component in controls.components:
        for drill in component.drills:
            of_drill = [run for run in begun if run.drill == drill]
            exists = drill if drill in drills else f"{drill} (there is no such drill)"
            if not of_drill:
                rows.append(_never(component.name, exists))
            for staging in sorted({run.staging for run in of_drill}):
                there = [run for run in of_drill if run.staging == staging]
                rows.append(_row(component.name, exists, there, controls.max_age_days, today))
    return tuple(rows)


def _begun(runs: Runs) -> list[_Run]:
    lines = runs.lines()
    ends = {line["run"]: line for line in lines if line["what"] == FINISHED}
    return [
        _Run(
            name=line["run"], drill=str(line.get("drill", "")), staging=str(line.get("staging", "")),
            began=datetime.fromisoformat(line["utc"]).date(), verdict=_verdict(ends.get(line["run"])),
        )
        for line in lines
        if line["what"] == STARTED
    ]  # fmt: skip


def _verdict(end: Mapping[str, str] | None) -> str:
    """Return what the end of a run proves: nothing, when nobody sealed it."""
    if end is None:
        return NOT_ENDED
    return end["verdict"] if end.get("seal") else NOT_SEALED


def _never(component: str, drill: str) -> Covered:
    return Covered(
        component=component, drill=drill, staging="", run="", verdict=NEVER, age_days=None, is_stale=True,
        runs=0, failed=0,
    )  # fmt: skip


def _row(component: str, drill: str, there: Sequence[_Run], max_age: int, today: date) -> Covered:
    last = there[-1]
    age = (today - last.began).days
    return Covered(
        component=component, drill=drill, staging=last.staging, run=last.name, verdict=last.verdict,
        age_days=age, is_stale=age > max_age, runs=len(there),
        failed=sum(run.verdict != "PASSED" for run in there),
    )  # fmt: skip


def page(rows: Sequence[Covered], controls: Controls, found: Sequence[Finding], today: date) -> str:
    """Return the page."""
    gaps = [row for row in rows if row.is_stale or row.verdict != "PASSED"]
    still_open = [finding for finding in found if finding.is_open]
    told = (
        f"As of {today.isoformat()}: {len(rows)} drills, by component and staging, of "
        f"{len(controls.components)} components; "
        f"{len(gaps)} of them never run, too old, or not PASSED. {len(still_open)} findings are open."
    )
    body = "\n".join((
        "<h1>What has been put to the test</h1>", f"<p>{told}</p>",
        "<h2>Components and their drills</h2>", _coverage(rows, controls.max_age_days),
        "<h2>Findings</h2>", _findings(found),
        "<h2>What this evidence supports</h2>",
        "<p>Supports, never: complies with. Have the article numbers confirmed before you rely on them.</p>",
        _supports(controls), "<h2>What it does not show</h2>", listed(controls.not_shown),
    ))  # fmt: skip
    return framed("What has been put to the test", body)


def _coverage(rows: Iterable[Covered], max_age: int) -> str:
    cells = [
        (
            row.component, row.drill, row.staging or "-", row.run or "-",
            "-" if row.age_days is None else f"{row.age_days} days",
            row.verdict + (f", older than {max_age} days" if row.is_stale and row.run else ""),
            f"{row.runs} runs, {row.failed} not PASSED",
        )
        for row in rows
    ]  # fmt: skip
    return table(("component", "drill", "staging", "last run", "age", "verdict", "all runs"), cells)


def _findings(found: Sequence[Finding]) -> str:
    if not found:
        return "<p>None were entered.</p>"
    cells = [(f.id, f.severity, f.what, f.run, f.owner, f.due, f.state) for f in found]
    return table(("finding", "severity", "what", "run", "owner", "due", "state"), cells)


def _supports(controls: Controls) -> str:
    cells = [
        (one.name, one.file, "; ".join(f"{name} {', '.join(refs)}" for name, refs in one.supports.items()))
        for one in controls.evidence
    ]
    return table(("evidence", "where", "supports"), cells)
