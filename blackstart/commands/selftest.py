"""`blackstart selftest`: planted defects must be found, and a broken harness must not say PASSED."""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

import selftest as package
from blackstart.exit_code import ExitCode
from catalogue import DRILLS
from reports.evidence.plan import code_of, code_told
from selftest import matrix, summary
from selftest.campaign import Campaign
from selftest.cells import Outcome

if TYPE_CHECKING:
    from selftest.campaign import Result
    from selftest.cells import Cell

SELFTESTS, SELFTEST = "selftests", "selftest.json"  # in the home folder, where `reports.instrument` looks
_NAMES = sorted({cell.what for cell in (*matrix.DEFECTS, *matrix.SABOTAGES)})


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME",
              help="Only this defect or sabotage; repeatable. --list shows them.")  # fmt: skip
@click.option("--drill", "drills", multiple=True, type=click.Choice(sorted(DRILLS)), help="Only this.")
@click.option("--healthy", "times", type=click.IntRange(1, 1000), metavar="N",
              help="Run all drills N times on healthy stagings instead: count false alarms.")  # fmt: skip
@click.option(
    "--rate", type=click.FloatRange(1, 5000), help="Requests per second; the matrix's if not given."
)
@click.option("--isolation", type=click.Choice(["namespaces", "wires"]), help="How a zone goes dark.")
@click.option("--seed", type=int, default=1, show_default=True, help="Repeats all random choices.")
@click.option("--minutes", type=click.FloatRange(min=0.1), help="Begin no further run after so long.")
@click.option("--resume", is_flag=True, help="Go on with the newest self-test, or the one in --out.")
@click.option("--again", is_flag=True, help="With --resume: repeat what was not right, or run by other code.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="A folder for what comes of it; a new one in the home folder if not given.")  # fmt: skip
@click.option("--list", "only_list", is_flag=True, help="Print the matrix, run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print selftest.json, nothing else.")
@click.pass_obj
def selftest(home: Path, /, *, only_list: bool, as_json: bool, **options: Any) -> None:  # fmt: skip
    """Plant defects in stagings of their own, break the harness, and see whether drills tell the truth.

    Leaves with 0 when every planted defect was found on the objective that it concerns and no broken
    harness said anything but UNKNOWN; with 1 when not; with 3 when runs are left to be done, or were done by
    more than one version of the code; with 5 when it was stopped. Then, and after --minutes, go on with
    --resume. The summary is over all that was ever asked for in the folder.
    """
    cells = chosen(options)
    console = Console(stderr=as_json, highlight=False)
    if only_list:
        for cell in cells:
            console.print(f"{cell.name}: {cell.must}", markup=False, soft_wrap=True)
        return
    folder = _folder(home, options)
    campaign = Campaign(folder, _code(), lambda line: console.print(line, markup=False, soft_wrap=True))
    planned = campaign.plan(cells)  # together with what earlier calls were to run in this folder
    if options["again"]:
        campaign.forget_wrong()
    stopped = _run(campaign, cells, options)
    told = summary.build(planned, campaign.results)
    (folder / SELFTEST).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        click.echo((folder / SELFTEST).read_text(encoding="utf-8"), nl=False)
    else:
        found = [campaign.results[cell.name] for cell in planned if cell.name in campaign.results]
        show(found, told, console)
        console.print(f"written to {folder / SELFTEST}", markup=False, soft_wrap=True)
    sys.exit(ExitCode.STOPPED if stopped else exit_code(told))


def _run(campaign: Campaign, cells: list[Cell], options: dict[str, Any]) -> bool:
    """Run what has not been run; tell whether somebody stopped it: then the drill under way is left out."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    until_s = time.monotonic() + 60 * options["minutes"] if options["minutes"] else None
    try:
        campaign.run(cells, seed=options["seed"], until_s=until_s)
    except KeyboardInterrupt:
        return True
    return False


def chosen(options: dict[str, Any]) -> list[Cell]:
    """Return what is to be run. Raises UsageError for a name that is not in the matrix."""
    unknown = [name for name in options["names"] if name not in _NAMES]
    if unknown:
        raise click.UsageError(f"the matrix has no {unknown[0]!r}; there are: {', '.join(_NAMES)}")
    cells: list[Cell] = [*matrix.DEFECTS, *matrix.SABOTAGES]
    if options["times"]:
        cells = [*matrix.healthy(tuple(options["drills"] or DRILLS), options["times"])]
    names, drills = set(options["names"]), set(options["drills"])
    cells = [cell for cell in cells if not names or cell.what in names]
    cells = [cell for cell in cells if not drills or cell.drill in drills]
    if not cells:
        raise click.UsageError("the matrix has no such defect in such a drill")
    changes = {name: options[name] for name in ("rate", "isolation") if options[name]}
    return [cell.but(**changes) for cell in cells]


def exit_code(told: dict[str, Any]) -> ExitCode:
    """Return 0 when all was run and right, by one code; 1 when anything was wrong; 3 when some is left."""
    if told["summary"]["right"]:
        return ExitCode.PASSED
    return ExitCode.FAILED if told["summary"]["not right"] else ExitCode.UNKNOWN


def show(results: list[Result], told: dict[str, Any], console: Console) -> None:
    """Print the detection table, and what it comes to."""
    for row in (summary.HEADS, *summary.rows(results)):
        console.print(" | ".join(row), soft_wrap=True, markup=False)
    for name, value in told["summary"].items():
        console.print(f"{name}: {value}", soft_wrap=True, markup=False)
    for name in told["not run"]:
        console.print(f"{Outcome.NOT_RUN.upper()}: {name}", soft_wrap=True, markup=False)


def _folder(home: Path, options: dict[str, Any]) -> Path:
    """Return where results are kept. Raises UsageError when there is nothing to go on with."""
    if options["again"] and not options["resume"]:
        raise click.UsageError("--again goes with --resume")
    if not options["resume"]:
        folder: Path = options["out"] or home / SELFTESTS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        if (folder / "results.jsonl").exists():
            raise click.UsageError(f"{folder} holds a self-test already: go on with --resume")
        return folder
    found = [options["out"]] if options["out"] else sorted((home / SELFTESTS).glob("*/"))
    if not found or not found[-1].exists():
        raise click.UsageError("there is no self-test to go on with")
    newest: Path = found[-1]
    return newest


def _code() -> str:
    return code_told(code_of(Path(package.__file__).parents[1]))
