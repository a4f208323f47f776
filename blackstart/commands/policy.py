"""`blackstart policy`: what AWS must allow for drills, made from the calls that they were seen to make."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from blackstart import policies
from blackstart.exit_code import ExitCode
from blackstart.iam import NotInReference
from catalogue import DRILLS

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command("policy")
@click.argument("role", required=False, type=click.Choice(policies.ROLES))
@click.option("--drill", "drills", multiple=True, type=click.Choice(sorted(DRILLS)), help="Only for these.")
@click.option("--account", default="", help="For this account; else it stays ${Account}.")
@click.option("--region", default="", help="For this region; else it stays ${Region}.")
@click.option("--record", multiple=True, type=_FOLDER, help="Learn from the drill that left this folder.")
@click.option("--check", multiple=True, type=_FOLDER, help="Check the calls of the drill that left it.")
def command(role: str | None, drills: tuple[str, ...], **options: Any) -> None:
    """Print the IAM policy of a role; learn it from drills, or hold drills to it."""
    for folder in options["record"]:
        name = _drill_of(folder)
        click.echo(f"{name}: {policies.record(name, folder, _plans(folder))} kinds of calls are known")
    if options["record"]:
        _write_all()
    wrong = [
        f"{folder.name}: the runner's policy lacks {what}"
        for folder in options["check"]
        for what in policies.lacking(_drill_of(folder), folder)
    ]
    for line in wrong:
        click.echo(line)
    if role:
        made = policies.of(role, drills or policies.recorded())
        click.echo(policies.text(made, options["account"], options["region"]), nl=False)
    sys.exit(ExitCode.FAILED if wrong else ExitCode.PASSED)


def _write_all() -> None:
    try:
        policies.write_all()
    except NotInReference as error:
        raise click.UsageError(str(error)) from error


def _plans(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the plans in the piece of the ledger that a drill's folder holds; none when it did not end."""
    if not (folder / "ledger.jsonl").exists():
        return
    for line in (folder / "ledger.jsonl").read_text().splitlines():
        told = json.loads(line)
        if told["do"] == "open":
            yield told["plan"]


def _drill_of(folder: Path) -> str:
    try:
        return str(json.loads((folder / "drill.json").read_text())["name"])
    except (OSError, ValueError, KeyError) as error:
        raise click.UsageError(f"{folder} is no drill's folder: {error}") from error
