"""A game day as one bundle: the sealed bundles of its drills in one directory, under a seal of its own.

Nothing is left out in silence: every other run that the run ledger knows from the same days is named, and
then the day as a whole can be no better than UNKNOWN.
"""

from __future__ import annotations

import json
import shutil
from html import escape
from typing import TYPE_CHECKING, Any, TypedDict

from blackstart.verdict import Verdict, worst
from reports import glance, markup, words
from reports.evidence import bundle, seal, statement, sums, verify
from reports.evidence.runs import FINISHED, STARTED, Runs, against, unsaid
from reports.evidence.seal import Seal
from reports.evidence.sums import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reports.evidence.keys import Signer

SCHEMA = "blackstart/gameday/1"
DAY, PAGE, DRILLS = "gameday.json", "report.html", "drills"
KIND = "game day"  # stands where a drill's bundle names its drill


class BadGameDay(Exception):
    """These bundles are no game day; the message says why."""


class DrillOfDay(TypedDict):
    """One drill of the day."""

    run: str
    drill: str
    verdict: str
    seal: str  # hash of its bundle's seal


class GameDay(TypedDict):
    """See `gather`."""

    schema: str
    name: str
    drills: list[DrillOfDay]
    left_out: list[dict[str, str]]  # run, drill, and how it ended
    verdict: str


def gather(bundles: Sequence[Path], into: Path, runs: Runs, signer: Signer, code: str) -> str:
    """Copy sealed bundles into one directory and seal it; return its seal's hash.

    `code` is the commit, and whether it was clean. Raises BadGameDay, Unsealed and ChainBroken.
    """
    if not sums.is_name(into.name):
        raise BadGameDay(f"{into.name!r} is no name for a folder of evidence: letters, digits, ._+@=- only")
    for one in bundles:
        _check(one)
    drills = sorted((_drill(one) for one in bundles), key=lambda drill: drill["run"])
    if not drills or len({drill["run"] for drill in drills}) != len(drills):
        raise BadGameDay("a game day consists of drills, each of them once")
    day = _day(into.name, drills, runs)
    into.mkdir(parents=True)
    for one in bundles:
        shutil.copytree(one, into / DRILLS / one.resolve().name)
    (into / DAY).write_text(_dumps(day), encoding="utf-8")
    (into / PAGE).write_text(page(day, _records(into, day)), encoding="utf-8")
    announced = runs.note(day["name"], STARTED, drill=KIND, plan=sums.sha256(into / DAY))
    sealed = _seal(into, day, announced, signer, code)
    runs.note(day["name"], FINISHED, drill=KIND, verdict=day["verdict"], seal=sealed)
    return sealed


def is_one(folder: Path) -> bool:
    """Tell whether a bundle is that of a game day."""
    return (folder / DAY).exists()


def check(folder: Path, *, run: str, fingerprint: str | None, runs: Path | None) -> verify.Consistency:
    """Check the day's own seal and what it says of its drills; their bundles are for the caller."""
    found = verify.Consistency(run=run)
    if not verify.is_sealed(folder, found, fingerprint, (DAY, PAGE)):
        return found
    try:
        day: GameDay = json.loads((folder / DAY).read_bytes())
        found.problems += _differs(folder, day, run)
        subject = {name: sums.sha256(folder / name) for name in (sums.SEAL, sums.SUMS)}
        verify.is_stated(folder, found, _told(day, found.listed, subject), subject)
    except (OSError, ValueError, KeyError, TypeError, seal.BadSeal, BadGameDay) as error:
        found.problems.append(Problem(check="record", where=DAY, what=f"cannot be read: {error}"))
        return found
    verify.people(folder, found)
    if runs is not None and found.seal is not None:
        hashes = {"plan_sha256": sums.sha256(folder / DAY), "seal_sha256": sums.sha256(folder / sums.SEAL)}
        found.problems += against(Runs(runs), found.seal, **hashes)
        found.problems += unsaid(Runs(runs), folder, found.seal.run)
        if _left_out(Runs(runs), day["drills"], until=found.seal.begun_as) != day["left_out"]:
            what = "does not name the runs of those days which the run ledger knows"
            found.problems.append(Problem(check="run ledger", where=DAY, what=what))
    return found


def bundles_of(folder: Path) -> list[Path]:
    """Return the drills' bundles in a game day."""
    return sorted(path for path in (folder / DRILLS).glob("*") if path.is_dir())


def page(day: GameDay, records: Mapping[str, Any]) -> str:
    """Return the day on one page."""
    rows = [_row(drill, records[drill["run"]]) for drill in day["drills"]]
    heads = ("drill", "service came back", "acknowledged transfers lost", "report", "verdict")
    counts = [f"{_count(day, verdict)} {verdict}" for verdict in ("PASSED", "FAILED", "UNKNOWN")]
    left_out = [f"{one['run']} ({one['drill']}): {one['ended']}" for one in day["left_out"]]
    body = (
        f"<h1>Game day {escape(day['name'])}</h1>\n"
        f'<div class="verdict {day["verdict"]}"><strong>{day["verdict"]}</strong> {", ".join(counts)}</div>\n'
        + markup.section("Its drills", markup.table(heads, rows))
        + markup.section(
            "Runs of that time that are not part of it",
            markup.listed(left_out) or "<p>None: every run of that time is here.</p>",
        )
        + markup.section("What it does not show", markup.listed(_not_shown(records)))
    )
    return markup.framed(f"Game day {day['name']}: {day['verdict']}", body)


def _check(one: Path) -> None:
    found = verify.check(one, run=one.resolve().name)
    if found.seal is None or found.problems:
        why = str(found.problems[0].what) if found.problems else "it is not sealed"
        raise BadGameDay(f"{one.resolve().name} cannot be part of it: {why}")


def _drill(one: Path) -> DrillOfDay:
    told = seal.parse((one / sums.SEAL).read_bytes())
    digest = sums.sha256(one / sums.SEAL)
    return DrillOfDay(run=told.run, drill=told.drill, verdict=told.verdict, seal=digest)


def _day(name: str, drills: list[DrillOfDay], runs: Runs) -> GameDay:
    left_out = _left_out(runs, drills)
    verdicts = [Verdict(drill["verdict"]) for drill in drills] + [Verdict.UNKNOWN] * bool(left_out)
    return GameDay(schema=SCHEMA, name=name, drills=drills, left_out=left_out, verdict=worst(verdicts).value)


def _left_out(runs: Runs, drills: Sequence[DrillOfDay], *, until: str = "") -> list[dict[str, str]]:
    """Return the runs that were begun on the days of these drills, in UTC, and are not among them.

    Whole days: who may choose where a day begins and ends leaves out its first and its last drill. `until` is
    the hash of the line with which the game day itself was announced; what came after it could not be known.
    """
    lines = _before(runs.lines(), until)
    started = [line for line in lines if line["what"] == STARTED and line.get("drill") != KIND]
    ours = {drill["run"] for drill in drills}
    days = sorted(_day_of(line) for line in started if line["run"] in ours)
    if not days:
        raise BadGameDay("the run ledger knows none of these runs")
    ended = {line["run"]: line["verdict"] for line in lines if line["what"] == FINISHED}
    return [
        {"run": line["run"], "drill": str(line.get("drill")), "ended": ended.get(line["run"], "never ended")}
        for line in started
        if line["run"] not in ours and days[0] <= _day_of(line) <= days[-1]
    ]


def _before(lines: Sequence[dict[str, Any]], until: str) -> Sequence[dict[str, Any]]:
    at = next((number for number, line in enumerate(lines) if line["hash"] == until), len(lines))
    return lines[:at]


def _day_of(line: Mapping[str, Any]) -> str:
    return str(line["utc"])[: len("2026-01-31")]


def _seal(into: Path, day: GameDay, announced: str, signer: Signer, code: str) -> str:
    try:
        listed = sums.listing(into)
    except sums.BadSums as error:
        raise bundle.Unsealed(str(error)) from error
    sealed = Seal(
        run=day["name"], drill=KIND, verdict=day["verdict"], sealed_utc=bundle.now(), code=code,
        files=listed.count("\n"), sums_sha256="", begun_as=announced,
    )  # fmt: skip
    hashes = sums.parse(listed.encode("ascii"))
    return bundle.seal_list(into, listed, sealed, lambda subject: _told(day, hashes, subject), signer)


def _told(day: GameDay, hashes: Mapping[str, str], subject: Mapping[str, str]) -> dict[str, Any]:
    configuration = [{"name": DAY, "digest": {"sha256": hashes[DAY]}}]
    ended = [(drill["run"], drill["verdict"]) for drill in day["drills"]]
    return statement.tests_ended(day["verdict"], ended, configuration, subject)


def _differs(folder: Path, day: GameDay, run: str) -> Iterator[Problem]:
    """Yield where the day says something else than the bundles that lie in it."""
    if day["name"] != run:
        yield Problem(check="run", where=DAY, what=f"is of the game day {day['name']}, not of {run}")
    drills = [_drill(one) for one in bundles_of(folder)]
    if drills != day["drills"]:
        yield Problem(check="record", where=DAY, what="does not say of its drills what their seals say")
    verdicts = [Verdict(drill["verdict"]) for drill in drills] + [Verdict.UNKNOWN] * bool(day["left_out"])
    if worst(verdicts).value != day["verdict"]:
        yield Problem(
            check="figures", where=DAY, what=f"says {day['verdict']}; it is {worst(verdicts).value}"
        )
    if (folder / PAGE).read_text(encoding="utf-8") != page(day, _records(folder, day)):
        yield Problem(check="figures", where=PAGE, what="is not the page of this game day")


def _records(folder: Path, day: GameDay) -> dict[str, Any]:
    return {
        drill["run"]: json.loads((folder / DRILLS / drill["run"] / bundle.RECORD).read_bytes())
        for drill in day["drills"]
    }


def _row(drill: DrillOfDay, record: Any) -> tuple[str | markup.Cell, ...]:
    recovery, lost = record["recovery"], glance.measured(record, glance.LOST)
    return (
        markup.text(drill["drill"], drill["run"]), words.within(recovery) if recovery else "not judged",
        words.interval(lost) if lost else "not measured", f"{DRILLS}/{drill['run']}/report.html",
        markup.verdict(drill["verdict"]),
    )  # fmt: skip


def _count(day: GameDay, verdict: str) -> int:
    return sum(drill["verdict"] == verdict for drill in day["drills"])


def _not_shown(records: Mapping[str, Any]) -> list[str]:
    return sorted({limit for record in records.values() for limit in record["not_shown"]})


def _dumps(day: GameDay) -> str:
    return json.dumps(day, indent=1, ensure_ascii=False) + "\n"
