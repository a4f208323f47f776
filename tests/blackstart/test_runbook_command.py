"""Runbooks by hand: listed, printed with nothing running, and refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from blackstart.commands import runbook
from runbooks import RUNBOOKS

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def ran(tmp_path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(runbook.command(lambda command: command), arguments, obj=tmp_path)


def test_every_runbook_is_listed(tmp_path: Path) -> None:
    listed = ran(tmp_path).output.splitlines()

    assert [line.partition(":")[0].replace("-", "_") for line in listed] == list(RUNBOOKS)


def test_a_checklist_has_the_arguments_filled_in(tmp_path: Path) -> None:
    printed = ran(
        tmp_path, "restore-from-backup", "--print", "--set", "vault=elsewhere", "--set", "seed=7"
    ).output

    assert "--backup-vault-name elsewhere" in printed
    assert "| seed | `7` |" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("restore-from-nowhere", "--print"), "no runbook is called"),
        (("cut-over", "--print", "--set", "colour=red"), "the fields are: replacement, cluster"),
        (("cut-over", "--print", "--set", "within_s=soon"), "a number was expected"),
        (("cut-over", "--print", "--set", "old=burn"), "'keep' or 'delete' was expected"),
        (
            ("restore-from-backup", "--print", "--set", "which=oldest"),
            "'random of 7d' or an ARN was expected",
        ),
        (("rewind-to-a-point-in-time", "--print", "--set", "at=2026-01-01T00:00:00"), "with its zone"),
    ],
)
def test_what_makes_no_sense_is_bad_usage(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = ran(tmp_path, *arguments)

    assert result.exit_code == 2
    assert says in result.output
