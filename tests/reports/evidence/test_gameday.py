"""A game day is one bundle: whole, sealed by itself, and silent about no run of its time."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from blackstart import chain
from blackstart.cli import main
from blackstart.commands.verify import verified
from blackstart.exit_code import ExitCode
from reports.evidence import gameday, keys, runs
from reports.evidence.keys import LocalKey
from tests.reports.evidence import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.commands.verify import Verified


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drills; the game day has the first and the last of them, and the middle one was left out."""
    home = tmp_path_factory.mktemp("home")
    for run in ("r-1", "r-2", "r-3"):
        bundles.sealed(home, run)
    key = LocalKey.at(home / "keys" / "signing-key.pem")
    drills = home / "drills"
    for name, chosen in (("whole", ("r-1", "r-2", "r-3")), ("partly", ("r-1", "r-3"))):
        day = home / "gamedays" / name
        gameday.gather([drills / run for run in chosen], day, runs.Runs(home / runs.RUNS), key, bundles.CODE)
    return home


def look(home: Path, day: Path) -> Verified:
    fingerprint = keys.fingerprint(LocalKey.at(home / "keys" / "signing-key.pem").public_pem)
    ledger = home / runs.RUNS
    return verified(day, run=day.name, fingerprint=fingerprint, runs=ledger, here=bundles.here())


def test_a_whole_day_is_found_genuine_and_measured_again(home: Path) -> None:
    found = look(home, home / "gamedays" / "whole")

    assert (found.problems, found.exit_code) == ([], ExitCode.PASSED)
    assert found.again is not None
    assert (found.again.measurements, found.again.verdicts) == (60, 45)


def test_what_is_not_proven_of_a_drill_is_not_proven_of_the_day(home: Path, tmp_path: Path) -> None:
    """A page that other code would not make, in a drill of the day."""
    key = LocalKey.at(home / "keys" / "signing-key.pem")
    shutil.copytree(home / "drills" / "r-1", tmp_path / "drills" / "r-1")
    one = bundles.Sealed(folder=tmp_path / "drills" / "r-1", key=key, runs=home / runs.RUNS, record={})  # type: ignore[typeddict-item]
    page = one.folder / "report.html"
    page.write_text(page.read_text().replace("</body>", " </body>"))
    bundles.close_again(one)
    ledger = runs.Runs(tmp_path / "runs.jsonl")
    ledger.note("r-1", runs.STARTED, drill="aurora-failover")
    day = tmp_path / "days" / "rewritten"
    gameday.gather([one.folder], day, ledger, key, bundles.CODE)

    found = verified(
        day, run="rewritten", fingerprint=keys.fingerprint(key.public_pem), runs=None,
        here=bundles.here("abcdef clean"),
    )  # fmt: skip

    assert (found.problems, found.exit_code) == ([], ExitCode.UNKNOWN)
    assert any("measured again by other code" in note for note in found.notes)
    assert "r-1: report.html was not made again" in found.conclusion


def test_what_was_left_out_is_named_and_the_day_proves_nothing(home: Path) -> None:
    day = json.loads((home / "gamedays" / "partly" / gameday.DAY).read_text())

    assert [one["run"] for one in day["left_out"]] == ["r-2"]
    assert day["verdict"] != "PASSED"
    assert "r-2" in (home / "gamedays" / "partly" / "report.html").read_text()
    assert look(home, home / "gamedays" / "partly").problems == []


@pytest.mark.parametrize(
    ("file", "check"),
    [
        ("drills/r-2/record.json", "hashes"),
        ("drills/r-2/SEAL.txt", "hashes"),
        (gameday.DAY, "hashes"),
        ("report.html", "hashes"),
        ("SEAL.txt", "statement"),
    ],
)
def test_an_edit_is_found_and_named(home: Path, tmp_path: Path, file: str, check: str) -> None:
    day = tmp_path / "whole"
    shutil.copytree(home / "gamedays" / "whole", day)
    content = (day / file).read_bytes()
    assert b"FAILED" in content
    (day / file).write_bytes(content.replace(b"FAILED", b"PASSED", 1))

    found = look(home, day)

    assert (check, file) in {(problem.check, problem.where) for problem in found.problems}


@pytest.mark.parametrize("chosen", [("r-1", "r-3"), ("r-2", "r-3"), ("r-1", "r-2")], ids="-".join)
def test_a_drill_taken_out_is_missed_even_when_it_is_sealed_again(
    home: Path, tmp_path: Path, chosen: tuple[str, str]
) -> None:
    """An insider says that nothing was left out: the run ledger still knows of the one that was run."""
    key = LocalKey.at(home / "keys" / "signing-key.pem")
    kept = tmp_path / "runs.jsonl"
    shutil.copy(home / runs.RUNS, kept)
    drills = [home / "drills" / run for run in chosen]
    with pytest.MonkeyPatch.context() as insider:
        insider.setattr(gameday, "_left_out", lambda *_, **__: [])
        gameday.gather(drills, tmp_path / "forged", runs.Runs(kept), key, bundles.CODE)
    gameday.gather(drills, tmp_path / "honest", runs.Runs(kept), key, bundles.CODE)

    def problems(day: str) -> set[tuple[str, str]]:
        found = verified(tmp_path / day, run=day, fingerprint=None, runs=kept, here=None)
        return {(problem.check, problem.where) for problem in found.problems}

    assert problems("forged") == {("run ledger", gameday.DAY)}
    assert problems("honest") == set()


def line(runs_of_day: runs.Runs, run: str, utc: str) -> None:
    """Note a run as begun at another time than now."""
    file = chain.open_for_append(runs_of_day.path)
    chain.append(file, {"utc": utc, "run": run, "what": runs.STARTED, "drill": "aurora-failover"})
    os.close(file)


def test_the_days_are_whole_and_those_around_them_are_others(home: Path, tmp_path: Path) -> None:
    ledger, drills = runs.Runs(tmp_path / "runs.jsonl"), [home / "drills" / "r-1", home / "drills" / "r-2"]
    for run, utc in (
        ("the day before", "2026-03-01T23:59:59+00:00"),
        ("in the night", "2026-03-02T00:00:00+00:00"),
        ("r-1", "2026-03-02T09:00:00+00:00"),
        ("r-2", "2026-03-03T09:00:00+00:00"),
        ("in the evening", "2026-03-03T23:59:59+00:00"),
        ("the day after", "2026-03-04T00:00:00+00:00"),
    ):
        line(ledger, run, utc)
    key = LocalKey.at(home / "keys" / "signing-key.pem")
    gameday.gather(drills, tmp_path / "day", ledger, key, bundles.CODE)
    line(ledger, "after it was sealed", "2026-03-03T23:59:59+00:00")
    ledger.note("in the night", runs.FINISHED, verdict="PASSED")
    found = gameday.check(tmp_path / "day", run="day", fingerprint=None, runs=ledger.path)

    told = json.loads((tmp_path / "day" / gameday.DAY).read_text())["left_out"]
    assert [(one["run"], one["ended"]) for one in told] == [
        ("in the night", "never ended"),
        ("in the evening", "never ended"),
    ]
    assert found.problems == []


def test_the_command_gathers_and_refuses_what_is_not_sealed(home: Path, tmp_path: Path) -> None:
    chosen = [str(home / "drills" / run) for run in ("r-1", "r-2", "r-3")]
    told = CliRunner().invoke(main, ["--home", str(home), "gather", "by-command", *chosen])
    (tmp_path / "r-9").mkdir()
    refused = CliRunner().invoke(main, ["--home", str(home), "gather", "no", str(tmp_path / "r-9")])
    checked = CliRunner().invoke(
        main, ["verify", str(home / "gamedays" / "by-command"), "--no-measuring", "--json"]
    )

    assert told.exit_code == 0, told.output
    assert (refused.exit_code, checked.exit_code) == (ExitCode.USAGE, ExitCode.UNKNOWN)
    assert json.loads(checked.stdout)["problems"] == []
