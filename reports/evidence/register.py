"""The register of findings: what drills have shown to be wrong, who sees to it by when, and what closed it.

It is read from the run ledger. A run that never ended is a finding by itself, until somebody enters one about
it, which has an owner. A retest closes a finding only when it is a later run of the same drill on the same
staging, and it PASSED; an accepted risk is open again once it has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from reports.evidence.runs import ACCEPTED, FINDING, FINISHED, RETESTED, STARTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.evidence.runs import Runs

SEVERITIES = ("low", "medium", "high", "critical")


class BadFinding(Exception):
    """It cannot be entered; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding as it stands today."""

    id: str
    run: str
    severity: str
    what: str
    owner: str
    due: str  # ISO date
    found_utc: str
    state: str  # "open", "overdue", "risk accepted until ...", "closed by ..."

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.state in ("open", "overdue")


def findings(runs: Runs, today: date) -> tuple[Finding, ...]:
    """Return all findings, in the order in which they were found. Raises ChainBroken."""
    lines = runs.lines()
    entered = tuple(_finding(line, lines, today) for line in lines if line["what"] == FINDING)
    named = {finding.run for finding in entered}
    return entered + tuple(_abandoned(line) for line in runs.unfinished() if line["run"] not in named)


def enter(runs: Runs, *, run: str, severity: str, what: str, owner: str, due: date) -> str:
    """Enter a finding about a run that the ledger knows; return its id. Raises BadFinding."""
    lines = runs.lines()
    if not any(line["run"] == run and line["what"] == STARTED for line in lines):
        raise BadFinding(f"the run ledger knows no run {run}")
    if severity not in SEVERITIES or not what.strip() or not owner.strip():
        raise BadFinding(f"a finding needs a text, an owner, and one of: {', '.join(SEVERITIES)}")
    number = sum(line["what"] == FINDING for line in lines) + 1
    name = f"F-{number:04}"
    runs.note(run, FINDING, finding=name, severity=severity, text=what, owner=owner, due=due.isoformat())
    return name


def accept(runs: Runs, finding: str, *, by: str, why: str, until: date) -> None:
    """Enter that somebody bears the risk until a day. Raises BadFinding."""
    line = _line_of(runs.lines(), finding)
    if not by.strip() or not why.strip():
        raise BadFinding("whoever accepts a risk has a name and a reason")
    runs.note(line["run"], ACCEPTED, finding=finding, by=by, why=why, until=until.isoformat())


def retest(runs: Runs, finding: str, by_run: str) -> None:
    """Enter the run that shows that a finding is mended. Raises BadFinding unless it does."""
    lines = runs.lines()
    line = _line_of(lines, finding)
    ends = [end for end in lines if end["run"] == by_run and end["what"] == FINISHED]
    if not ends:
        raise BadFinding(f"the run ledger knows no end of {by_run}")
    why_not = _why_not(line, ends[-1], lines)
    if why_not:
        raise BadFinding(f"{by_run} does not close {finding}: {why_not}")
    runs.note(line["run"], RETESTED, finding=finding, by_run=by_run)


def _why_not(line: dict[str, Any], end: dict[str, Any], lines: Sequence[dict[str, Any]]) -> str:
    started = {one["run"]: one for one in lines if one["what"] == STARTED}
    ours, theirs = started.get(line["run"], {}), started.get(end["run"], {})
    if end["verdict"] != "PASSED":
        return f"it ended {end['verdict']}"
    if not end.get("seal"):
        return "it was not sealed"
    if theirs.get("drill") != ours.get("drill"):
        return "it is a run of another drill"
    if theirs.get("staging") != ours.get("staging"):
        return f"it ran on {theirs.get('staging')}, not on {ours.get('staging')}"
    return "" if end["utc"] > line["utc"] else "it is older than the finding"


def _line_of(lines: Sequence[dict[str, Any]], finding: str) -> dict[str, Any]:
    for line in lines:
        if line["what"] == FINDING and line["finding"] == finding:
            return line
    raise BadFinding(f"there is no finding {finding}")


def _finding(line: dict[str, Any], lines: Sequence[dict[str, Any]], today: date) -> Finding:
    about = [one for one in lines if one.get("finding") == line["finding"]]
    return Finding(
        id=line["finding"], run=line["run"], severity=line["severity"], what=line["text"],
        owner=line["owner"], due=line["due"], found_utc=line["utc"], state=_state(line, about, today),
    )  # fmt: skip


def _state(line: dict[str, Any], about: Sequence[dict[str, Any]], today: date) -> str:
    closed = [one["by_run"] for one in about if one["what"] == RETESTED]
    if closed:
        return f"closed by {closed[-1]}"
    borne = [one for one in about if one["what"] == ACCEPTED and date.fromisoformat(one["until"]) >= today]
    if borne:
        return f"risk accepted until {borne[-1]['until']} by {borne[-1]['by']}"
    return "overdue" if date.fromisoformat(line["due"]) < today else "open"


def _abandoned(line: dict[str, Any]) -> Finding:
    return Finding(
        id="(by itself)", run=line["run"], severity="medium", what="the run never came to its end",
        owner="", due="", found_utc=line["utc"], state="open",
    )  # fmt: skip


def today() -> date:
    """Return this day, in UTC."""
    return datetime.now(UTC).date()
