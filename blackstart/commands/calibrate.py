"""`blackstart calibrate`: the instrument against a truth known from outside."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

import calibration as package
from blackstart.exit_code import ExitCode
from calibration import plan, summary
from calibration.campaign import Campaign
from calibration.kinds import Kind
from reports.evidence.plan import code_of, code_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.plan import Cell

_BESIDE = 3  # slow loads at the same time; each takes a tenth of a core
_PARTS = ("outages", "losses", "availability")


@click.command()
@click.option(
    "--full",
    is_flag=True,
    help="Everything: also outages of 29 and 31 s, two workers, a generator that is stopped.",
)
@click.option("--part", "parts", multiple=True, type=click.Choice(_PARTS), help="Only this part; repeatable.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    help="Only outages of this kind; repeatable.",
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    type=click.FloatRange(10, 5000),
    default=plan.RATES,
    show_default=True,
    help="Requests per second; repeatable.",
)
@click.option(
    "--schedule",
    "schedules",
    multiple=True,
    type=click.Choice(["constant", "poisson", "stratified"]),
    default=plan.SCHEDULES,
    show_default=True,
    help="How arrivals spread; repeatable.",
)
@click.option(
    "--seconds",
    "seconds",
    multiple=True,
    type=click.FloatRange(0, 120),
    help="Only outages of this length; repeatable.",
)
@click.option("--workers", multiple=True, type=click.IntRange(1, 8), help="Locust's processes; repeatable.")
@click.option("--stopped", "also_stopped", is_flag=True, help="Also stop the load generator now and then.")
@click.option(
    "--beside",
    type=click.IntRange(1, 16),
    default=_BESIDE,
    show_default=True,
    help="How many loads of 100/s run at the same time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Repeats all random choices.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write calibration.json; a new file in the home folder if not given.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder. What is there already is measured again, and not run again.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Begin nothing that would end later. With --folder: call again for the rest.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be run, and how long it takes.")
@click.option("--json", "as_json", is_flag=True, help="Print calibration.json, nothing else.")
@click.pass_obj
def calibrate(home: Path, /, **options: Any) -> None:  # fmt: skip
    """Measure outages whose length is known, on a server that fails on command.

    Leaves with 0 when every truth lay in the measured interval, and none was wider than the goal while the
    generator kept time; with 1 when not; with 3 when some of it is still to be run, or was void.
    """
    cells, parts = _cells(options), options["parts"] or _PARTS
    console = Console(stderr=options["as_json"], highlight=False)
    console.print(_intention(cells, parts, options), soft_wrap=True)
    if options["only_plan"]:
        return
    calibrated = _run(cells, parts, options, console)
    file = options["out"] or home / "calibrations" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}" / "calibration.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(calibrated.result(), indent=1) + "\n")
    if options["as_json"]:
        click.echo(file.read_text(), nl=False)
    else:
        show(calibrated, console)
        console.print(f"written to {file}", soft_wrap=True)
    sys.exit(_exit_code(calibrated))


def show(calibrated: Campaign, console: Console) -> None:
    """Print what a calibration found."""
    for heads, rows in (
        (summary.OUTAGE_HEADS, summary.outage_rows(calibrated.readings)),
        (summary.LOSS_HEADS, summary.loss_rows(calibrated.losses)),
        (summary.AVAILABILITY_HEADS, summary.availability_rows(calibrated.availabilities)),
    ):
        if rows:
            _print_table(heads, rows, console)
    for name, value in calibrated.result()["summary"].items():
        console.print(f"{name}: {value}", soft_wrap=True, markup=False)
    for failed in calibrated.failed:
        console.print(f"NOT RUN: {failed}", soft_wrap=True, markup=False)


def _print_table(heads: Sequence[str], rows: list[summary.Row], console: Console) -> None:
    if not console.is_terminal:  # a log file has no width to fit into
        for row in (tuple(heads), *rows):
            console.print(" | ".join(row), soft_wrap=True, markup=False)
        return
    table = Table(*heads, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _exit_code(calibrated: Campaign) -> ExitCode:
    told = calibrated.result()["summary"]
    if told["wrong"]:
        return ExitCode.FAILED
    return ExitCode.PASSED if told["right"] else ExitCode.UNKNOWN


def _run(cells: list[Cell], parts: Sequence[str], options: dict[str, Any], console: Console) -> Campaign:
    with ExitStack() as stack:
        folder = options["folder"]
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="blackstart-calibrate-")))
        folder.mkdir(parents=True, exist_ok=True)
        campaign = Campaign(
            folder,
            lambda line: console.print(line, soft_wrap=True, markup=False),
            code=code_told(code_of(Path(package.__file__).parents[1])),
            for_s=60 * options["minutes"] if options["minutes"] else math.inf,
        )
        for rate in options["rates"]:
            if "losses" in parts:
                campaign.data_loss(rate=rate, seed=options["seed"])
            if "availability" in parts:
                campaign.availability(rate=rate, seed=options["seed"])
        if "outages" in parts:
            campaign.outages(cells, beside=options["beside"])
    return campaign


def _cells(options: dict[str, Any]) -> list[Cell]:
    kinds = tuple(Kind(kind) for kind in options["kinds"]) or tuple(Kind)
    full, rates = options["full"], options["rates"]
    usual = (plan.SHORT_S, plan.LONG_S) if full else (plan.SHORT_S,)
    lengths = (options["seconds"],) if options["seconds"] else usual
    cells = plan.matrix(
        kinds=kinds, rates=rates, schedules=options["schedules"], lengths=lengths,
        workers=options["workers"] or ((1, 2) if full else (1,)), seed=options["seed"],
    )  # fmt: skip
    stopped = plan.stopped(rates=rates, seed=options["seed"]) if full or options["also_stopped"] else []
    return cells + stopped


def _intention(cells: list[Cell], parts: Sequence[str], options: dict[str, Any]) -> str:
    if "outages" not in parts:
        return f"calibrating {', '.join(parts)}, under a minute for each rate"
    minutes = plan.takes_s(cells, beside=options["beside"]) / 60
    outages = sum(len(cell.seconds) for cell in cells)
    return f"{outages} outages in {len(cells)} loads, about {minutes:.0f} minutes"
