"""What counts as caught, and with which exit code a self-test leaves."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from blackstart.commands import selftest as command
from blackstart.commands.selftest import exit_code
from blackstart.exit_code import ExitCode
from selftest import campaign, marker, summary
from selftest.campaign import RESULTS, Campaign, Result
from selftest.cells import Cell, Defect, Healthy, Outcome, Sabotage

if TYPE_CHECKING:
    from pathlib import Path

DEFECT = Defect(what="async-standby", drill="aurora-failover", objective="acknowledged transfers lost")
SABOTAGE = Sabotage(what="load-silent", drill="aurora-failover")
HEALTHY = Healthy(what="healthy", drill="aurora-failover", number=1)


def record(verdict: str, *failed: str) -> dict[str, Any]:
    names = ("acknowledged transfers lost", "recovery time")
    return {
        "verdict": verdict,
        "objectives": [{"name": n, "verdict": "FAILED" if n in failed else "PASSED"} for n in names],
    }


@pytest.mark.parametrize(
    ("cell", "found", "outcome"),
    [
        (DEFECT, record("FAILED", "acknowledged transfers lost"), Outcome.CAUGHT),
        (DEFECT, record("FAILED", "acknowledged transfers lost", "recovery time"), Outcome.CAUGHT),
        (DEFECT, record("FAILED", "recovery time"), Outcome.ELSEWHERE),
        (DEFECT, record("UNKNOWN"), Outcome.UNPROVEN),
        (DEFECT, record("PASSED"), Outcome.MISSED),
        (SABOTAGE, record("UNKNOWN"), Outcome.CAUGHT),
        (SABOTAGE, record("PASSED"), Outcome.MISSED),
        (SABOTAGE, record("FAILED", "recovery time"), Outcome.MISSED),
        (HEALTHY, record("PASSED"), Outcome.CAUGHT),
        (HEALTHY, record("UNKNOWN"), Outcome.UNPROVEN),
        (HEALTHY, record("FAILED", "recovery time"), Outcome.FALSE_ALARM),
    ],
)
def test_what_comes_of_a_run(cell: Cell, found: dict[str, Any], outcome: Outcome) -> None:
    assert cell.judge(found) is outcome


def result(cell: Cell, outcome: Outcome) -> Result:
    return Result(
        cell=cell.name, what=cell.what, drill=cell.drill, must=cell.must, rate=cell.rate,
        outcome=outcome.value, verdict="FAILED", failed=["recovery time"], measured="", reasons=["why"],
        seconds=60.0, code="abc clean",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((Outcome.CAUGHT, Outcome.CAUGHT), ExitCode.PASSED),
        ((Outcome.CAUGHT, Outcome.MISSED), ExitCode.FAILED),
        ((Outcome.ELSEWHERE, Outcome.CAUGHT), ExitCode.FAILED),
        ((Outcome.UNPROVEN, Outcome.CAUGHT), ExitCode.FAILED),
        ((Outcome.NOT_RUN,), ExitCode.FAILED),
        ((Outcome.CAUGHT,), ExitCode.UNKNOWN),
        ((), ExitCode.UNKNOWN),
    ],
)
def test_only_a_whole_and_right_self_test_leaves_with_0(
    outcomes: tuple[Outcome, ...], code: ExitCode
) -> None:
    cells: tuple[Cell, ...] = (DEFECT, SABOTAGE)
    results = {cell.name: result(cell, outcome) for cell, outcome in zip(cells, outcomes, strict=False)}
    told = summary.build(cells, results)

    assert exit_code(told) == code
    assert len(told["results"]) + len(told["not run"]) == len(cells)


def test_a_campaign_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    said: list[str] = []
    first = Campaign(tmp_path, "abc clean", said.append)
    first._keep(result(DEFECT, Outcome.CAUGHT))
    first._keep(result(SABOTAGE, Outcome.MISSED))
    with (tmp_path / RESULTS).open("a") as file:
        file.write('{"cell": "torn')

    again = Campaign(tmp_path, "abc clean", said.append)

    assert again.run((DEFECT, SABOTAGE), seed=1) == []
    assert said == []
    again.forget_wrong()
    assert list(again.results) == [DEFECT.name]
    assert again.run((DEFECT, SABOTAGE), seed=1, until_s=0.0) == [SABOTAGE]
    assert len((tmp_path / RESULTS).read_text().splitlines()) == 2


@dataclass(frozen=True)
class Sabotaged:
    what: str
    lacks: str
    outcome: Outcome


@pytest.mark.parametrize(
    "run",
    [
        Sabotaged("load-silent", "", Outcome.CAUGHT),
        Sabotaged("load-silent", "act", Outcome.UNPROVEN),  # UNKNOWN for a reason of its own
        Sabotaged("load-silent", "fault", Outcome.UNPROVEN),
        Sabotaged("half-the-load", "fault", Outcome.CAUGHT),
        Sabotaged("events-truncated", "fault", Outcome.CAUGHT),
        Sabotaged("events-truncated", "act and fault", Outcome.UNPROVEN),
    ],
)
def test_a_sabotage_counts_only_when_it_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Sabotaged
) -> None:
    def drill(_: Cell, home: Path, seed: int) -> str:
        folder = home / "drills" / f"r-{seed}"
        folder.mkdir(parents=True)
        fault = None if "fault" in run.lacks else {"name": "x"}
        told = {**record("UNKNOWN"), "reasons": ["why"], "fault": fault}
        (folder / "record.json").write_text(json.dumps(told))
        if "act" not in run.lacks:
            marker.leaving(home, run.what)()
        return ""

    monkeypatch.setattr(campaign, "_drill", drill)
    made = Campaign(tmp_path, "abc clean", lambda _: None)
    made.run([Sabotage(what=run.what, drill="aurora-failover")], seed=1)
    (found,) = made.results.values()

    assert found.outcome == run.outcome
    assert ("another cause" in " ".join(found.reasons)) is (run.outcome is Outcome.UNPROVEN)


def test_what_was_asked_for_before_is_still_asked_for(tmp_path: Path) -> None:
    Campaign(tmp_path, "abc clean", lambda _: None).plan([DEFECT, SABOTAGE])
    made = Campaign(tmp_path, "abc clean", lambda _: None)
    made._keep(result(SABOTAGE, Outcome.MISSED))
    made._keep(result(HEALTHY, Outcome.CAUGHT))
    planned = made.plan([HEALTHY])
    told = summary.build(planned, made.results)

    assert planned == [DEFECT, SABOTAGE, HEALTHY]
    assert told["not run"] == [DEFECT.name]
    assert list(told["summary"]["not right"]) == [SABOTAGE.name]
    assert exit_code(told) is ExitCode.FAILED


def test_a_part_that_is_resumed_does_not_make_the_whole_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drill(_: Cell, home: Path, seed: int) -> str:
        told = {**record("FAILED", DEFECT.objective), "reasons": []}
        for one in told["objectives"]:
            one["measured"] = {"low": 1.0, "high": 1.0, "unit": "records", "note": ""}
        folder = home / "drills" / f"r-{seed}"
        folder.mkdir(parents=True)
        (folder / "record.json").write_text(json.dumps(told))
        return ""

    monkeypatch.setattr(campaign, "_drill", drill)
    monkeypatch.setattr(command, "_code", lambda: "abc clean")
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    out = tmp_path / "kept"
    only = ["--only", DEFECT.what, "--drill", DEFECT.drill, "--out", str(out)]

    def ran(*words: str) -> tuple[int, dict[str, Any]]:
        ended = CliRunner().invoke(command.selftest, [*only, *words], obj=tmp_path)
        return ended.exit_code, json.loads((out / command.SELFTEST).read_text())["summary"]

    assert ran()[0] == ExitCode.PASSED
    Campaign(out, "abc clean", lambda _: None).plan([SABOTAGE])
    code, told = ran("--resume")
    assert (code, told["right"], told["runs planned"]) == (ExitCode.UNKNOWN, False, 2)
    code, told = ran("--resume", "--rate", "100")
    assert (told["runs planned"], told["runs done"]) == (3, 2)


@pytest.mark.parametrize("codes", [("abc clean", "def clean"), ("abc dirty", "abc dirty")])
def test_runs_by_more_than_one_code_or_by_none_that_was_committed_show_nothing(
    tmp_path: Path, codes: tuple[str, str]
) -> None:
    cells: tuple[Cell, ...] = (DEFECT, SABOTAGE)
    results = {
        cell.name: replace(result(cell, Outcome.CAUGHT), code=code)
        for cell, code in zip(cells, codes, strict=True)
    }

    assert exit_code(summary.build(cells, results)) is ExitCode.UNKNOWN
    made = Campaign(tmp_path, "def clean", lambda _: None)
    made.results = results
    made.forget_wrong()
    assert [one.code for one in made.results.values()] == [code for code in codes if code == "def clean"]


def test_another_load_or_network_makes_another_run() -> None:
    runs = [DEFECT, DEFECT.but(rate=100.0), DEFECT.but(isolation="wires"), HEALTHY, HEALTHY.but(rate=100.0)]

    assert len({run.name for run in runs}) == len(runs)
    assert DEFECT.but(rate=DEFECT.rate).name == DEFECT.name


def test_the_table_has_a_row_for_each_run_and_says_why() -> None:
    (row,) = summary.rows([result(DEFECT, Outcome.ELSEWHERE)])

    assert len(row) == len(summary.HEADS)
    assert row[:4] == (
        "async-standby", "aurora-failover", "FAILED: acknowledged transfers lost",
        "CAUGHT ELSEWHERE (FAILED)",
    )  # fmt: skip
    assert row[5] == "recovery time; why"
