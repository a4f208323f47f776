"""The command line: the one place where everything is wired."""

from __future__ import annotations

import json
import os
import random
import re
import sys
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from blackstart import leaving, wiring
from blackstart.choke import Refused
from blackstart.commands import allure, evidence, plan, policy, runbook, safety, verify
from blackstart.commands.calibrate import calibrate
from blackstart.commands.selftest import selftest
from blackstart.context import NEWEST, Context, NoStaging
from blackstart.exit_code import ExitCode, of_all
from blackstart.experiment import InvalidExperiment
from blackstart.leaving import ERR, leave, one_line
from blackstart.ledger import LedgerBroken
from blackstart.parts import Traffic
from catalogue import DRILLS
from reports.evidence.bundle import Unsealed
from reports.evidence.keys import BadKey
from staging.local import lifecycle
from staging.local.defects import Defect
from staging.local.options import Options
from staging.local.timings import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_RATE_MAX = 5000.0
_TASKS = 2  # one in each zone


def clear_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn what can be expected to go wrong into one clear line and the right exit code."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:  # outside a drill, which hears it by itself
            leave(ExitCode.STOPPED, "stopped")
        except Refused as refusal:
            leave(ExitCode.REFUSED, f"refused: {one_line(refusal)}")
        except Unsealed as why:
            leave(ExitCode.UNKNOWN, f"the drill has run, its evidence is not safe: {one_line(why)}")
        except (InvalidExperiment, NoStaging, lifecycle.StartError, LedgerBroken, BadKey, OSError) as error:
            leave(ExitCode.USAGE, one_line(error))

    return guarded


def staging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of everything that may start a local staging."""
    for option in (
        click.option("--defect", "defects", multiple=True, type=click.Choice([d.value for d in Defect]),
                     help="Plant this defect of the platform; may be given more than once."),
        click.option("--timings", type=click.Choice(["fast", "aws-like"]), default="fast", show_default=True,
                     help="How quickly the double's AWS notices things."),
        click.option("--tasks", type=click.IntRange(2, 16),
                     help="How many tasks the service desires; as many as the drill needs, or 2."),
        click.option("--isolation", type=click.Choice(["namespaces", "wires"]),
                     help="How a zone goes dark; the most faithful that this machine allows by default."),
        click.option("--port", type=click.IntRange(1, 65535),
                     help="The bank's port; any free one if not given."),
    ):  # fmt: skip
        command = option(command)
    return command


def _which_of(_: click.Context, __: click.Parameter, span: str | None) -> str | None:
    """Return which recovery point a span names. Raises BadParameter for what is no span."""
    if span is not None and not re.fullmatch(r"[1-9]\d*[dhm]", span):
        raise click.BadParameter(f"{span!r} is no span of time: 7d, 12h or 30m was expected")
    return None if span is None else f"random of {span}"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=".blackstart",
    envvar="BLACKSTART_HOME",
    show_default=True,
    help="Where ledgers and drills are kept.",
)
@click.version_option(package_name="blackstart")
@click.pass_context
def main(ctx: click.Context, home: Path) -> None:
    """Break a staging environment on purpose, and prove with numbers that it came back."""
    ctx.obj = home.absolute()


@main.command()
@staging_options
@click.option("--json", "as_json", is_flag=True, help="Print the staging's state as JSON.")
@click.pass_obj
@clear_errors
def up(home: Path, as_json: bool, **options: Any) -> None:
    """Start the local staging; returns when it is healthy."""
    staging = lifecycle.up(home / "local", _options(options), _say_step)
    if as_json:
        click.echo(json.dumps(lifecycle.status(home / "local"), indent=1))
    else:
        click.echo(f"the bank is at {staging.facts.base_url} ({staging.facts.isolation})")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
@clear_errors
def status(home: Path, as_json: bool) -> None:
    """Say whether the local staging runs, what it consists of, and what is still to be healed."""
    state = lifecycle.status(home / "local")
    state["to heal"] = [entry.fault for entry in Context(home=str(home)).ledger.open_entries()]
    if as_json:
        click.echo(json.dumps(state, indent=1))
        return
    for name, value in state.items():
        click.echo(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")


@main.command()
@click.pass_obj
@clear_errors
def down(home: Path) -> None:
    """End the local staging: no process, directory or port of it is left."""
    click.echo("down" if lifecycle.down(home / "local") else "no local staging was running")


@main.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--rate", type=click.FloatRange(1, _RATE_MAX),
              help="Requests per second, by the clock; each drill has its own, mostly 1000.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**31), help="Repeats a drill's random choices.")
@click.option("--newest", is_flag=True, help="Restore the newest recovery point: what one would do in need.")
@click.option(
    "--random-of",
    metavar="SPAN",
    callback=_which_of,
    help="Restore one of this long, by the seed: 7d, 12h, 30m. An untested backup may be any of them.",
)
@click.option("--staging", default="local", show_default=True, help="local, or the file of an AWS staging.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON, nothing else.")
@staging_options
@click.pass_obj
@clear_errors
def drill(  # noqa: PLR0917 - click passes them by name
    home: Path,
    names: tuple[str, ...],
    rate: float | None,
    seed: int | None,
    newest: bool,
    random_of: str | None,
    staging: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Run drills, one after the other, on a local staging of their own if none is running."""
    unknown = [name for name in names if name not in DRILLS]
    if unknown:
        raise click.UsageError(f"no drill is called {unknown[0]!r}; there are: {', '.join(sorted(DRILLS))}")
    if newest and random_of:
        raise click.UsageError("--newest and --random-of exclude each other")
    if (newest or random_of) and not any(wiring.chooses(DRILLS[name]) for name in names):
        raise click.UsageError(
            f"--newest and --random-of are for drills that restore a backup: {_restoring()}"
        )
    console = Console(stderr=as_json, highlight=False)
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    options["tasks"] = options["tasks"] or max(DRILLS[name].tasks for name in names)
    records = []
    with _running_staging(home, staging, options):
        for name in names:
            traffic = Traffic(rate=rate or DRILLS[name].rate, seed=seed)
            context = Context(home=str(home), staging=staging, which=random_of or NEWEST)
            with leaving.truthfully(context, but=Unsealed):
                folder = wiring.run_drill(DRILLS[name], context, traffic, console)
            records.append(json.loads((folder / "record.json").read_text()))
            if records[-1]["exit_code"] == ExitCode.NOT_HEALED:
                break
    if as_json:
        click.echo(json.dumps(records, indent=1))
    sys.exit(of_all(ExitCode(record["exit_code"]) for record in records))


def _restoring() -> str:
    return ", ".join(name for name, spec in DRILLS.items() if wiring.chooses(spec))


@contextmanager
def _running_staging(home: Path, staging: str, options: dict[str, Any]) -> Iterator[None]:
    """Use the staging that runs; for the local one, start one of our own when there is none."""
    if staging != "local":
        yield
        return
    state_dir = home / "local"
    if lifecycle.status(state_dir)["state"] == "healthy":
        if any(options.get(name) for name in ("defects", "isolation", "port")):
            raise Refused("a local staging is running already: give its options to `blackstart up`")
        yield
        return
    Context(home=str(home)).ledger.forget(lifecycle.generation(state_dir))
    lifecycle.up(state_dir, _options(options, ends_with_us=True), _say_step)
    try:
        yield
    finally:
        lifecycle.down(state_dir)
        _say_step("down")


def _options(options: dict[str, Any], *, ends_with_us: bool = False) -> Options:
    return Options(
        isolation=options["isolation"],
        timings=PROFILES[options["timings"]],
        defects=frozenset(Defect(name) for name in options["defects"]),
        tasks=options["tasks"] or _TASKS,
        port=options["port"],
        owner_pid=os.getpid() if ends_with_us else None,
    )


def _say_step(step: str) -> None:
    ERR.print(f"staging: {step}", markup=False)


safety.add_to(main, clear_errors)
main.add_command(verify.command)
main.add_command(policy.command)
plan.add_to(main, clear_errors)
evidence.add_to(main)
main.add_command(allure.command)
main.add_command(runbook.command(clear_errors))
main.add_command(calibrate)
main.add_command(selftest)
