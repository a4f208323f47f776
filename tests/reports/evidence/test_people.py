"""What people add to evidence: sign-offs, findings and what closes them, and the page of what was covered."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import catalogue
import objectives
from blackstart.cli import main
from blackstart.commands.verify import verified
from reports.evidence import controls, coverage, gameday, register, runs, signoff, sums
from reports.evidence.keys import LocalKey
from tests.reports.evidence import bundles

ROOT = Path(objectives.__file__).parent
TODAY = datetime.now(UTC).date()
MAP = controls.load(ROOT / "controls.yaml")


def ledger(home: Path, *ends: tuple[str, str, str]) -> runs.Runs:
    """Return a run ledger of runs as (name, drill, verdict); a drill may name its staging: az-loss@local."""
    kept = runs.Runs(home / "runs.jsonl")
    for name, told, verdict in ends:
        drill, _, staging = told.partition("@")
        kept.note(name, runs.STARTED, drill=drill, staging=staging)
        kept.note(name, runs.FINISHED, drill=drill, verdict=verdict, seal="0" * 64)
    return kept


def test_a_sign_off_stands_beside_the_seal_and_in_the_run_ledger(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    person = ("--name", "A. Auditor", "--role", "second line", "--independent", "--decision", "accepted")
    argv = ["--home", str(tmp_path), "signoff", str(made.folder), *person, "--key", str(tmp_path / "a.pem")]

    assert CliRunner().invoke(main, argv).exit_code == 0
    assert CliRunner().invoke(main, argv).exit_code == 0

    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=made.runs, here=None)

    assert found.problems == []
    assert [(word.name, word.independent) for word in found.consistent.sign_offs] == [
        ("A. Auditor", True)
    ] * 2
    assert len([line for line in runs.Runs(made.runs).lines() if line["what"] == runs.SIGNED_OFF]) == 2


def test_a_drill_signed_off_after_its_game_day_was_gathered_is_still_part_of_it(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    ledger_of_runs = runs.Runs(made.runs)

    def sign() -> str:
        path = signoff.write(made.folder, bundles.word(made), LocalKey.at(tmp_path / "a.pem"))
        told = {"by": "A", "decision": "rejected", "sha256": sums.sha256(path)}
        return ledger_of_runs.note("r-1", runs.SIGNED_OFF, **told)

    def look(day: Path) -> set[str]:
        found = verified(day, run=day.name, fingerprint=made.fingerprint, runs=made.runs, here=None)
        return {one.where for one in found.problems}

    sign()
    gameday.gather([made.folder], tmp_path / "day", ledger_of_runs, made.key, bundles.CODE)
    sign()
    assert look(tmp_path / "day") == set()

    (made.folder / "sign-offs" / "0001.dsse.json").unlink()
    gameday.gather([made.folder], tmp_path / "later", ledger_of_runs, made.key, bundles.CODE)
    assert look(tmp_path / "later") == {"drills/r-1/sign-offs"}


def test_nobody_is_independent_with_the_key_that_sealed_the_drill(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    key = tmp_path / "keys" / "signing-key.pem"
    argv = ["--home", str(tmp_path), "signoff", str(made.folder), "--name", "A", "--role", "B"]
    argv += ["--independent", "--decision", "accepted", "--key", str(key)]
    refused = CliRunner().invoke(main, argv)

    assert (refused.exit_code, "not independent" in refused.output) == (2, True)
    assert not (made.folder / "sign-offs").exists()


def test_every_flipped_byte_of_a_sign_off_is_found(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    path = signoff.write(made.folder, bundles.word(made), LocalKey.at(tmp_path / "a.pem"))
    content, missed = path.read_bytes(), []
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        try:
            signoff.read(path)
        except signoff.BadSignOff:
            continue
        missed.append(position)

    assert missed == []


def test_what_is_not_sealed_cannot_be_signed_off(tmp_path: Path) -> None:
    empty = signoff.SignOff(
        name="A", role="B", independent=True, decision="noted", remarks="", at_utc="", seal_sha256=""
    )

    with pytest.raises(signoff.BadSignOff, match="not sealed"):
        signoff.write(tmp_path, empty, LocalKey.at(tmp_path / "a.pem"))


def test_only_a_later_passed_run_of_the_same_drill_closes_a_finding(tmp_path: Path) -> None:
    kept = ledger(tmp_path, ("one", "az-loss@eu", "FAILED"))
    name = register.enter(kept, run="one", severity="high", what="too slow", owner="me", due=TODAY)
    ledger(tmp_path, ("bad", "az-loss@eu", "FAILED"), ("else", "aurora-failover@eu", "PASSED"))
    ledger(tmp_path, ("there", "az-loss@local", "PASSED"))

    for run in ("bad", "else", "there", "one", "nothing"):
        with pytest.raises(register.BadFinding):
            register.retest(kept, name, run)
    assert [one.state for one in register.findings(kept, TODAY)] == ["open"]

    ledger(tmp_path, ("good", "az-loss@eu", "PASSED"))
    register.retest(kept, name, "good")

    assert [one.state for one in register.findings(kept, TODAY)] == ["closed by good"]


def test_a_finding_falls_due_and_an_accepted_risk_expires(tmp_path: Path) -> None:
    kept, day = ledger(tmp_path, ("one", "az-loss", "FAILED")), timedelta(days=1)
    name = register.enter(kept, run="one", severity="low", what="x", owner="me", due=TODAY)
    register.accept(kept, name, by="the CRO", why="small", until=TODAY + 2 * day)

    states = [register.findings(kept, TODAY + n * day)[0] for n in range(4)]

    assert [one.is_open for one in states] == [False, False, False, True]
    assert states[3].state == "overdue"


def test_a_run_that_never_ended_is_a_finding_by_itself(tmp_path: Path) -> None:
    kept = ledger(tmp_path, ("one", "az-loss", "PASSED"))
    kept.note("two", runs.STARTED, drill="az-loss")

    told = CliRunner().invoke(main, ["--home", str(tmp_path), "finding", "list", "--json"])

    assert [(one["run"], one["state"]) for one in json.loads(told.stdout)] == [("two", "open")]
    assert told.exit_code == 1


def test_a_finding_about_a_run_that_never_ended_takes_its_place_and_can_be_closed(tmp_path: Path) -> None:
    kept = ledger(tmp_path)
    kept.note("killed", runs.STARTED, drill="az-loss", staging="")
    kept.note("forgotten", runs.STARTED, drill="az-loss", staging="")
    name = register.enter(kept, run="killed", severity="high", what="host died", owner="me", due=TODAY)

    assert [(one.id, one.run, one.owner) for one in register.findings(kept, TODAY)] == [
        (name, "killed", "me"),
        ("(by itself)", "forgotten", ""),
    ]

    ledger(tmp_path, ("good", "az-loss", "PASSED"))
    register.retest(kept, name, "good")

    assert [one.state for one in register.findings(kept, TODAY)] == ["closed by good", "open"]


def test_coverage_shows_what_was_never_run_what_is_stale_and_what_failed(tmp_path: Path) -> None:
    kept = ledger(tmp_path, ("a", "az-loss", "PASSED"), ("b", "az-loss", "FAILED"))

    rows = {row.drill: row for row in coverage.covered(kept, MAP, catalogue.DRILLS, TODAY)}

    assert (rows["az-loss"].verdict, rows["az-loss"].runs, rows["az-loss"].failed) == ("FAILED", 2, 1)
    assert rows["aurora-failover"].verdict == coverage.NEVER
    assert rows["aurora-failover"].is_stale
    later = {
        row.drill: row for row in coverage.covered(kept, MAP, catalogue.DRILLS, TODAY.replace(year=2099))
    }
    assert later["az-loss"].is_stale
    page = coverage.page(list(rows.values()), MAP, register.findings(kept, TODAY), TODAY)
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_coverage_counts_what_was_not_sealed_and_what_never_ended_and_knows_stagings_apart(
    tmp_path: Path,
) -> None:
    kept = ledger(tmp_path, ("a", "az-loss@eu", "PASSED"), ("b", "az-loss@local", "PASSED"))

    def rows() -> dict[str, tuple[str, str, int, int]]:
        covered = coverage.covered(kept, MAP, catalogue.DRILLS, TODAY)
        return {
            row.staging: (row.run, row.verdict, row.runs, row.failed)
            for row in covered
            if row.drill == "az-loss"
        }

    assert rows() == {"eu": ("a", "PASSED", 1, 0), "local": ("b", "PASSED", 1, 0)}
    kept.note("c", runs.STARTED, drill="az-loss", staging="local")
    assert rows()["local"] == ("c", coverage.NOT_ENDED, 2, 1)
    kept.note("c", runs.FINISHED, drill="az-loss", verdict="PASSED", seal="")
    assert rows() == {"eu": ("a", "PASSED", 1, 0), "local": ("c", "UNKNOWN, not sealed", 2, 1)}


def test_the_map_names_existing_frameworks_and_says_what_it_does_not_show() -> None:
    frameworks = {name for one in MAP.evidence for name in one.supports}

    assert {"DORA", "FFIEC", "PCI DSS", "SOC 2", "ISO 22301", "NIST 800-53", "PRA/FCA", "FINRA"} == frameworks
    assert MAP.not_shown
    assert MAP.retention_years == 7


@pytest.mark.parametrize(
    "change", [("max_age_days", "max_age"), ("drills:", "drill:"), ("7 ", "0 ")], ids=str
)
def test_a_map_with_a_typo_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "controls.yaml"
    path.write_text((ROOT / "controls.yaml").read_text().replace(*change))

    with pytest.raises(controls.BadControls):
        controls.load(path)


def test_every_drill_that_exists_belongs_to_a_component() -> None:
    mapped = {drill for component in MAP.components for drill in component.drills}

    assert set(catalogue.DRILLS) - mapped == set()


def test_a_day_is_a_day() -> None:
    assert register.today() >= date(2026, 1, 1)
