"""`blackstart allure`: Allure's page over bundles, for those who like to read it there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from blackstart.exit_code import ExitCode
from reports import allure_html
from reports.allure_results import FOLDER

HISTORY = "allure-history.jsonl"


@click.command(name="allure")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("bundles", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.pass_obj
def command(home: Path, /, out: Path, bundles: tuple[Path, ...]) -> None:
    """Write Allure's page to OUT: of these BUNDLES, or of the latest run of each drill.

    Needs Allure 3 (Node) or 2 (Java). The page loads nothing from anywhere; the evidence are the bundles.
    """
    chosen = bundles or tuple(latest(home))
    if not chosen:
        click.echo(f"blackstart: no drill in {home / 'drills'} has left {FOLDER}", err=True)
        sys.exit(ExitCode.USAGE)
    try:
        made_by = allure_html.render(chosen, out, home / HISTORY)
    except allure_html.NoAllure as error:
        click.echo(f"blackstart: {' '.join(str(error).split())}", err=True)
        sys.exit(ExitCode.USAGE)
    click.echo(f"{out}, by {made_by}: {allure_html.counts(chosen)}, of {len(chosen)} drills")


def latest(home: Path) -> list[Path]:
    """Return the latest run of each drill that has results; folders are named by when they began."""
    found = {}
    for folder in sorted((home / "drills").glob("*")):
        if (folder / FOLDER).is_dir():
            found[json.loads((folder / "record.json").read_bytes())["drill"]] = folder
    return sorted(found.values())
