"""Whatever is done to a bundle is found, and named by the check that it should be named by."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from blackstart.commands.verify import Verified, verified
from blackstart.exit_code import ExitCode
from reports.evidence import parsed, plan, sums, verify
from reports.evidence.keys import LocalKey
from tests.reports.evidence import attacks, bundles
from tests.reports.evidence.attacks import INSIDERS, OUTSIDERS, RUN_LEDGER, Attack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reports.evidence.bundles import Sealed

# every byte of seal and signature; `bench/evidence.py flips` takes every byte of all
SIGNED_STRIDE = {sums.SUMS: 29, sums.STATEMENT: 29, sums.PUBLIC_KEY: 3}
STRIDE = 997  # a prime: in a long file every 997th byte is flipped, in a short one every byte


@pytest.fixture(scope="session")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sealed, Sealed]:
    key = LocalKey.at(tmp_path_factory.mktemp("keys") / "key.pem")
    one = bundles.sealed(tmp_path_factory.mktemp("one"), "r-1", key=key)
    return one, bundles.sealed(tmp_path_factory.mktemp("two"), "r-0", key=key)


@pytest.fixture
def made(genuine: tuple[Sealed, Sealed], tmp_path: Path) -> Sealed:
    """A copy to be tampered with."""
    original = genuine[0]
    folder = tmp_path / "drills" / original.folder.name
    shutil.copytree(original.folder, folder)
    shutil.copy(original.runs, tmp_path / "runs.jsonl")
    return dataclasses.replace(original, folder=folder, runs=tmp_path / "runs.jsonl")


def look(made: Sealed, *, measure: bool, with_runs: bool = True) -> Verified:
    return verified(
        made.folder, run="r-1", fingerprint=made.fingerprint, runs=made.runs if with_runs else None,
        here=bundles.here() if measure else None,
    )  # fmt: skip


def test_what_nobody_touched_is_found_genuine(made: Sealed) -> None:
    found = look(made, measure=True)

    assert found.problems == []
    assert found.exit_code == ExitCode.PASSED
    assert found.again is not None
    assert (found.again.measurements, found.again.verdicts) == (20, 15)


@pytest.mark.parametrize("attack", [*OUTSIDERS, *RUN_LEDGER], ids=lambda attack: attack.name)
def test_an_outsider_is_found_out(attack: Attack, made: Sealed, genuine: tuple[Sealed, Sealed]) -> None:
    attack.do(made, genuine[1])

    found = look(made, measure=False, with_runs=attack.with_runs)

    assert attack.found_by in {problem.check for problem in found.problems}
    assert found.exit_code == ExitCode.FAILED


@pytest.mark.parametrize("attack", INSIDERS, ids=lambda attack: attack.name)
def test_an_insider_who_signs_properly_is_found_out(
    attack: Attack, made: Sealed, genuine: tuple[Sealed, Sealed]
) -> None:
    attack.do(made, genuine[1])

    found = look(made, measure=True, with_runs=attack.with_runs)

    assert attack.found_by in {problem.check for problem in found.problems}
    assert found.exit_code == ExitCode.FAILED


def test_an_insider_without_the_run_ledger_is_found_by_the_run_ledger_alone(made: Sealed) -> None:
    """Raw history, checkpoints and record rewritten: only what lies outside the bundle knows better."""
    attack = next(attack for attack in INSIDERS if attack.with_runs)
    attack.do(made, made)

    assert look(made, measure=True, with_runs=False).problems == []


@pytest.mark.parametrize("is_at_hand", [True, False], ids=["commit at hand", "commit not at hand"])
def test_an_eased_limit_is_never_proven_again_by_other_code(made: Sealed, *, is_at_hand: bool) -> None:
    """With the commit that ran its pages are compared; without it nobody can tell, and it says so."""
    attacks.ease_everywhere(made, made)
    other = bundles.here("abcdef clean", pages_of=lambda _: bundles.pages() if is_at_hand else {})

    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=other)

    assert {(one.check, one.where) for one in found.problems} == (
        {("plan", "objectives.py")} if is_at_hand else set()
    )
    assert found.exit_code == (ExitCode.FAILED if is_at_hand else ExitCode.UNKNOWN)
    assert any("promises were not compared" in note for note in found.notes)


@pytest.mark.parametrize(
    ("attack", "is_found"),
    [
        ("JUnit made green", True),
        ("Allure's results made green", True),
        ("a result more for Allure", True),
        ("the chart's numbers", True),
        ("the page rewritten", False),
        ("the chart redrawn", False),
        ("a drill's chart taken away", False),
        ("a step of a runbook that nobody took", False),
    ],
)
def test_other_code_finds_other_data_and_does_not_prove_what_it_would_not_make(
    made: Sealed, attack: str, *, is_found: bool
) -> None:
    """Data are compared as data; a page that another version would make otherwise may have been rewritten."""
    next(one for one in INSIDERS if one.name == attack).do(made, made)
    other = bundles.here("abcdef clean")

    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=other)

    assert {one.check for one in found.problems} == ({"figures"} if is_found else set())
    assert found.exit_code == (ExitCode.FAILED if is_found else ExitCode.UNKNOWN)
    assert is_found or any("was not made again" in note for note in found.notes)


def test_the_same_data_in_other_bytes_are_the_same() -> None:
    told, found = b"a,b\n1,2.5\nx,inf\n", b'"a",b\r\n1.0,2.5001\r\nx,inf\r\n'

    assert parsed.says_the_same("chart.csv", told, found)
    assert not parsed.says_the_same("chart.csv", told, told.replace(b"2.5", b"2.6"))
    assert not parsed.says_the_same("junit.xml", b"<testsuite/>", b"<testsuite")


def test_the_pages_of_a_commit_are_those_that_were_committed(tmp_path: Path) -> None:
    for page in plan.PAGES:
        (tmp_path / page).write_text(f"# {page}\n")
    me = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for argv in (["init", "-q"], ["add", "."], [*me, "commit", "-q", "-m", "pages"]):
        subprocess.run(["git", "-C", str(tmp_path), *argv], check=True)
    commit = plan.code_of(tmp_path)["commit"]
    (tmp_path / plan.PAGES[0]).write_text("# eased\n")

    assert plan.pages_of(tmp_path, commit) == {page: f"# {page}\n".encode() for page in plan.PAGES}
    assert plan.pages_of(tmp_path, "0" * 40) == {}
    assert plan.pages_of(tmp_path, "HEAD") == {}


def test_flipped_bytes_of_what_is_signed_are_found_and_their_file_is_named(made: Sealed) -> None:
    missed = []
    for name in sorted(sums.SIDE):
        path = made.folder / name
        content = path.read_bytes()
        for position in range(0, len(content), SIGNED_STRIDE.get(name, 1)):
            path.write_bytes(_flipped(content, position))
            found = verify.check(made.folder, run="r-1", fingerprint=made.fingerprint).problems
            if name not in {problem.where for problem in found}:
                missed.append((name, position))
        path.write_bytes(content)

    assert missed == []


def test_flipped_bytes_of_what_is_listed_are_found(made: Sealed) -> None:
    listed, missed, flipped = sums.parse((made.folder / sums.SUMS).read_bytes()), [], 0
    for name in listed:
        path = made.folder / name
        content = path.read_bytes()
        for position in range(0, len(content), 1 if len(content) < STRIDE else STRIDE):
            path.write_bytes(_flipped(content, position))
            flipped += 1
            where = {problem.where for problem in sums.departures(made.folder, {name: listed[name]})}
            if name not in where:
                missed.append((name, position))
        path.write_bytes(content)

    assert flipped > len(listed)
    assert missed == []


def _flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
