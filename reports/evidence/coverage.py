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
    from collections.abc import Collection, Iterable, Sequence
    from datetime import date

    from reports.evidence.controls import Controls
    from reports.evidence.register import Finding
    from reports.evidence.runs import Runs

NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Covered:
    """A drill of a component, and its last run; absent evidence is worse than a bad one."""

    component: str
    drill: str
    run: str  # "" when it never ended
    verdict: str  # NEVER when it never ended
    age_days: int | None
    is_stale: bool
    runs: int
    failed: int  # how many of all its runs did not pass


def covered(runs: Runs, controls: Controls, drills: Collection[str], today: date) -> tuple[Covered, ...]:
    """Return a row for each component and drill. Raises ChainBroken.

    `drills` are those that exist: a component whose drill does not is shown as never tested.
    """
    lines = runs.lines()
    named = {line["run"]: str(line.get("drill", "")) for line in lines if line["what"] == STARTED}
    ended = [line for line in lines if line["what"] == FINISHED]
    rows = []
    for component in controls.components:
        for drill in component.drills:
            of_drill = [line for line in ended if named.get(line["run"]) == drill]
            exists = drill if drill in drills else f"{drill} (there is no such drill)"
            rows.append(_row(component.name, exists, of_drill, controls.max_age_days, today))
    return tuple(rows)


def _row(component: str, drill: str, ended: Sequence[dict[str, str]], max_age: int, today: date) -> Covered:
    if not ended:
        return Covered(
            component=component,
            drill=drill,
            run="",
            verdict=NEVER,
            age_days=None,
            is_stale=True,
            runs=0,
            failed=0,
        )
    last = ended[-1]
    age = (today - datetime.fromisoformat(last["utc"]).date()).days
    return Covered(
        component=component, drill=drill, run=last["run"], verdict=last["verdict"], age_days=age,
        is_stale=age > max_age, runs=len(ended), failed=sum(line["verdict"] != "PASSED" for line in ended),
    )  # fmt: skip


def page(rows: Sequence[Covered], controls: Controls, found: Sequence[Finding], today: date) -> str:
    """Return the page."""
    gaps = [row for row in rows if row.is_stale or row.verdict != "PASSED"]
    still_open = [finding for finding in found if finding.is_open]
    told = (
        f"As of {today.isoformat()}: {len(rows)} drills of {len(controls.components)} components; "
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
            row.component, row.drill, row.run or "-", "-" if row.age_days is None else f"{row.age_days} days",
            row.verdict + (f", older than {max_age} days" if row.is_stale and row.run else ""),
            f"{row.runs} runs, {row.failed} not PASSED",
        )
        for row in rows
    ]  # fmt: skip
    return table(("component", "drill", "last run", "age", "verdict", "all runs"), cells)


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
