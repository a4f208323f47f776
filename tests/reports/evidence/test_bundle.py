"""A bundle can be checked with standard tools, holds no secrets, and a killed run leaves a part of one."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from blackstart.cli import main
from blackstart.commands.verify import verified
from blackstart.exit_code import ExitCode
from reports.evidence import bundle, keys, runs, sums
from tests.reports.evidence import bundles

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.commands.verify import Verified
    from tests.reports.evidence.bundles import Sealed

TOOLS = "/usr/bin:/bin"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return bundles.sealed(tmp_path_factory.mktemp("home"))


def printed(folder: Path) -> list[str]:
    """The commands as they stand in the report, without what is said of them."""
    (block,) = re.findall(r"<pre>(.*?)</pre>", (folder / "report.html").read_text(), re.DOTALL)
    return [html.unescape(line).partition("   #")[0] for line in block.splitlines()]


def say(folder: Path, command: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, env={"PATH": TOOLS}
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_the_commands_in_the_report_check_it_with_standard_tools_alone(made: Sealed) -> None:
    seal = (made.folder / sums.SEAL).read_text()
    fingerprint, signature, listed, files, counted = (say(made.folder, line) for line in printed(made.folder))

    assert fingerprint == (0, f"{made.fingerprint}  -\n")
    assert signature == (0, "Verified OK\n")
    assert f"sha256 of SHA256SUMS: {listed[1].split()[0]}\n" in seal
    assert files == (0, "")
    assert f"files: {int(counted[1]) - len(sums.SIDE)}\n" in seal


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
@pytest.mark.parametrize(
    ("name", "line"), [("signer.pub.pem", 0), ("SEAL.txt", 1), ("SEAL.txt.sig", 1), ("record.json", 3)]
)
def test_the_commands_in_the_report_find_an_edit(made: Sealed, tmp_path: Path, name: str, line: int) -> None:
    folder = tmp_path / "r-1"
    shutil.copytree(made.folder, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])

    command = printed(folder)[line]

    assert say(folder, command) != say(made.folder, command)


def test_the_statement_is_in_toto_in_dsse(made: Sealed) -> None:
    from reports.evidence import statement  # noqa: PLC0415 - only this test needs it

    told = statement.unseal((made.folder / sums.STATEMENT).read_bytes(), made.key.public_pem)

    assert told["predicateType"] == statement.TEST
    assert told["predicate"]["result"] == {"UNKNOWN": "WARNED"}.get(
        made.record["verdict"], made.record["verdict"]
    )
    assert [one["name"] for one in told["subject"]] == ["SEAL.txt", "SHA256SUMS"]
    promised = made.record["preconditions"] + made.record["objectives"]
    counted = [name for kind in ("passed", "warned", "failed") for name in told["predicate"][f"{kind}Tests"]]
    assert sorted(counted) == sorted(promise["name"] for promise in promised)


def test_without_a_fingerprint_it_is_never_just_fine(made: Sealed) -> None:
    found = verified(made.folder, run="r-1", fingerprint=None, runs=made.runs, here=bundles.here())

    assert (found.problems, found.exit_code) == ([], ExitCode.UNKNOWN)
    assert "SIGNER UNKNOWN" in found.conclusion


def test_without_measuring_it_is_never_just_fine(made: Sealed) -> None:
    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=None)

    assert (found.problems, found.exit_code) == ([], ExitCode.UNKNOWN)


def test_the_command_says_it_in_json(made: Sealed) -> None:
    asked = [
        "verify",
        str(made.folder),
        "--fingerprint",
        made.fingerprint,
        "--runs",
        str(made.runs),
        "--json",
    ]
    told = CliRunner().invoke(main, asked)
    said = json.loads(told.stdout)

    assert (told.exit_code, said["exit_code"], said["problems"]) == (0, 0, [])
    assert said["signer"] == made.fingerprint
    assert any("other code" in note for note in said["notes"])


def test_other_code_may_choose_other_words_but_no_other_figures(made: Sealed, tmp_path: Path) -> None:
    folder = tmp_path / "r-1"
    shutil.copytree(made.folder, folder)
    record = json.loads((folder / "record.json").read_text())
    record["objectives"][0]["measured"]["note"] = "in other words"
    (folder / "record.json").write_text(
        json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )
    edited = bundles.Sealed(folder=folder, key=made.key, runs=made.runs, record=made.record)
    bundles.close_again(edited)
    other = bundles.here(code="abcdef clean")

    found = verified(folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=other)

    assert found.problems == []
    assert found.again is not None
    assert any("in other words" in note for note in found.again.notes)


@pytest.mark.parametrize(
    "secret", ["AKIAIOSFODNN7EXAMPLE", "-----BEGIN EC PRIVATE KEY-----", "aws_secret_access_key"]
)
def test_what_looks_like_a_secret_is_not_sealed(tmp_path: Path, secret: str) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    for name in sums.SIDE:
        (made.folder / name).unlink()
    (made.folder / "runbook-x.md").write_text(f"said {secret}\n")

    with pytest.raises(bundle.Unsealed, match=r"runbook-x\.md holds what looks like"):
        bundle.close(made.folder, made.record, made.key, "0" * 64)


def test_a_bundle_is_sealed_once(made: Sealed) -> None:
    with pytest.raises(bundle.Unsealed, match="sealed already"):
        bundle.close(made.folder, made.record, made.key, "0" * 64)


def test_a_killed_run_leaves_a_part_that_hangs_together(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path)
    for name in (*sums.SIDE, "record.json", "report.html", "reconciliation.json"):
        (made.folder / name).unlink()
    torn = made.folder / "history" / "requests-0.jsonl"
    torn.write_bytes(torn.read_bytes()[:-30])
    marks = torn.with_suffix(".chain")
    marks.write_text("".join(marks.read_text().splitlines(keepends=True)[:2]))

    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=bundles.here())

    assert (found.problems, found.exit_code) == ([], ExitCode.UNKNOWN)
    assert any("its writer was killed" in note for note in found.consistent.notes)

    torn.write_bytes(torn.read_bytes().replace(b'"ok"', b'"no"', 1))
    found = verified(made.folder, run="r-1", fingerprint=made.fingerprint, runs=None, here=bundles.here())

    assert [problem.check for problem in found.problems] == ["chain"]


@pytest.mark.parametrize("name", ["final.jsonl", "receipts.jsonl"])
def test_what_was_read_back_is_held_against_its_event_in_a_run_killed_before_it_was_sealed(
    tmp_path: Path, name: str
) -> None:
    made = bundles.sealed(tmp_path, rate=10)
    for side in sums.SIDE:
        (made.folder / side).unlink()

    def look() -> Verified:
        return verified(made.folder, run="r-1", fingerprint=None, runs=None, here=None)

    assert look().problems == []
    assert f"{name}: is what was read back" in look().notes
    path = made.folder / "history" / name
    content = path.read_bytes()
    path.write_bytes(content.replace(b"r-0-1", b"r-0-2", 1))
    assert [(one.check, one.where) for one in look().problems] == [("chain", f"history/{name}")]
    path.unlink()
    assert [(one.check, one.what) for one in look().problems] == [("chain", "was read back, and is gone")]


def test_a_killed_run_is_held_against_its_plan_and_the_run_ledger(tmp_path: Path) -> None:
    made = bundles.sealed(tmp_path)
    for name in sums.SIDE:
        (made.folder / name).unlink()

    def look() -> set[tuple[str, str]]:
        found = verified(made.folder, run="r-1", fingerprint=None, runs=made.runs, here=None)
        return {(problem.check, problem.where) for problem in found.problems}

    assert look() == {("run ledger", "SEAL.txt")}  # it was sealed: somebody took that away
    made.runs.write_bytes(made.runs.read_bytes().splitlines(keepends=True)[0])
    assert look() == set()
    (made.folder / "objectives.py").write_text("# nothing is promised\n")
    assert look() == {("plan", "objectives.py")}
    plan_file = made.folder / "plan.json"
    plan_file.write_text(plan_file.read_text().replace('"seed": 7', '"seed": 8'))
    assert look() == {("plan", "objectives.py"), ("run ledger", "plan.json")}


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key.pem"

    assert keys.LocalKey.at(path).public_pem == keys.LocalKey.at(path).public_pem
    assert path.stat().st_mode & 0o777 == 0o600


def test_something_else_than_a_p_256_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")

    with pytest.raises(keys.BadKey):
        keys.LocalKey.at(tmp_path / "key.pem")


def test_a_run_without_an_end_stays_visible(tmp_path: Path) -> None:
    ledger = runs.Runs(tmp_path / "runs.jsonl")
    for name in ("one", "two"):
        ledger.note(name, runs.STARTED)
    ledger.note("two", runs.FINISHED, verdict="PASSED")

    assert [line["run"] for line in ledger.unfinished()] == ["one"]
