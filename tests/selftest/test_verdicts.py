"""What counts as caught, and with which exit code a self-test leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

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


@pytest.mark.parametrize(
    ("what", "acted", "injected", "outcome"),
    [
        ("load-silent", True, True, Outcome.CAUGHT),
        ("load-silent", False, True, Outcome.UNPROVEN),  # UNKNOWN for a reason of its own
        ("load-silent", True, False, Outcome.UNPROVEN),
        ("half-the-load", True, False, Outcome.CAUGHT),
        ("events-truncated", True, False, Outcome.CAUGHT),
        ("events-truncated", False, False, Outcome.UNPROVEN),
    ],
)
def test_a_sabotage_counts_only_when_it_was_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    acted: bool,
    injected: bool,
    outcome: Outcome,
) -> None:
    def drill(_: Cell, home: Path, seed: int) -> str:
        folder = home / "drills" / f"r-{seed}"
        folder.mkdir(parents=True)
        told = {**record("UNKNOWN"), "reasons": ["why"], "fault": {"name": "x"} if injected else None}
        (folder / "record.json").write_text(json.dumps(told))
        if acted:
            marker.leaving(home, what)()
        return ""

    monkeypatch.setattr(campaign, "_drill", drill)
    made = Campaign(tmp_path, "abc clean", lambda _: None)
    made.run([Sabotage(what=what, drill="aurora-failover")], seed=1)
    (found,) = made.results.values()

    assert found.outcome == outcome
    assert ("another cause" in " ".join(found.reasons)) is (outcome is Outcome.UNPROVEN)


def test_the_table_has_a_row_for_each_run_and_says_why() -> None:
    (row,) = summary.rows([result(DEFECT, Outcome.ELSEWHERE)])

    assert len(row) == len(summary.HEADS)
    assert row[:4] == (
        "async-standby", "aurora-failover", "FAILED: acknowledged transfers lost",
        "CAUGHT ELSEWHERE (FAILED)",
    )  # fmt: skip
    assert row[5] == "recovery time; why"
