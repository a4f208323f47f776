"""A bundle can be checked with standard tools, holds no secrets, and a killed run leaves a part of one."""

from __future__ import annotations

import json
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

    from tests.reports.evidence.bundles import Sealed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return bundles.sealed(tmp_path_factory.mktemp("home"))


def run(made: Sealed, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=made.folder, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_openssl_and_sha256sum_alone_can_check_it(made: Sealed) -> None:
    signed = (
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        "signer.pub.pem",
        "-signature",
        "SEAL.txt.sig",
        "SEAL.txt",
    )
    der = subprocess.run(
        ["openssl", "pkey", "-pubin", "-in", "signer.pub.pem", "-outform", "DER"],
        cwd=made.folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    (made.folder.parent / "key.der").write_bytes(der)

    assert run(made, *signed).stdout == "Verified OK\n"
    assert run(made, "sha256sum", "--strict", "--quiet", "-c", "SHA256SUMS").returncode == 0
    assert run(made, "sha256sum", "SHA256SUMS").stdout.split()[0] in (made.folder / "SEAL.txt").read_text()
    assert run(made, "sha256sum", "../key.der").stdout.split()[0] == made.fingerprint


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
    (made.folder / "load.log").write_text(f"said {secret}\n")

    with pytest.raises(bundle.Unsealed, match=r"load\.log"):
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
