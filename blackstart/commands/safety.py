"""`blackstart heal`, `stop` and `dead-man`: put back what is broken, stop who breaks, heal from within."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from blackstart import activities, as_before, healing, leaving, rules
from blackstart.context import Context, NoStaging
from blackstart.dead_man_template import Looks, policy, template
from blackstart.exit_code import ExitCode
from blackstart.guards import NoIdentity
from blackstart.lease import Leased
from blackstart.lock import Busy, only_one
from blackstart.rails import GO, STOP
from blackstart.telling import telling
from staging.local import lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blackstart.staging import Staging

_OTHERS_HEAL_WITHIN_S = 60.0
_STAGING = click.option(
    "--staging", default="local", show_default=True, help="local, or the file of an AWS staging."
)


def add_to(main: click.Group, clear_errors: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Add the commands."""

    @main.command()
    @_STAGING
    @click.option(
        "--from-account", is_flag=True,
        help="Heal also what other machines have left, by the ledger's copy in the account.",
    )  # fmt: skip
    @click.pass_obj
    @clear_errors
    def heal(home: Path, staging: str, from_account: bool) -> None:
        """Put back whatever an earlier drill left broken; any number of times, from any process."""
        here = Context(home=str(home), staging=staging)
        try:
            _heal(here, from_account=from_account)
        except (Busy, Leased):  # who drills now heals by itself
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - people must hear that staging may be broken
            leaving.not_healed(here, error)

    @main.command()
    @_STAGING
    @click.option("--release", is_flag=True, help="Release the switch, so that drills may run again.")
    @click.pass_obj
    @clear_errors
    def stop(home: Path, staging: str, release: bool) -> None:
        """Stop the running drill: it heals at once. No other starts until the switch is released."""
        here = Context(home=str(home), staging=staging)
        if release:
            here.stop_switch.unlink(missing_ok=True)
        else:
            here.place.mkdir(parents=True, exist_ok=True)
            here.stop_switch.touch()
        click.echo("released" if release else f"the stop switch is on: {here.stop_switch}")
        _tell_other_machines(here, GO if release else STOP)

    @main.command("dead-man")
    @_STAGING
    @click.option(
        "--into", type=click.Path(file_okay=False, path_type=Path), default="dead-man", show_default=True
    )
    @click.pass_obj
    @clear_errors
    def dead_man(home: Path, staging: str, into: Path) -> None:
        """Write what heals from within the account as files: a CloudFormation template and a policy."""
        _write_dead_man(Context(home=str(home), staging=staging), into)


def _tell_other_machines(here: Context, word: str) -> None:
    """Set the stop parameter of the account, which drills of every machine read, if there is one."""
    try:
        own = here.own()
    except NoStaging:
        if here.staging != "local":
            raise
        return  # the local staging does not run: nobody drills on it
    if own is not None and own.safeguards.stop_parameter:
        try:
            own.ssm.put_parameter(Name=own.safeguards.stop_parameter, Value=word, Overwrite=True)
        except (ClientError, BotoCoreError, NoIdentity) as error:
            click.echo(f"blackstart: other machines have not been told: {error}", err=True)
            sys.exit(ExitCode.UNKNOWN)
        click.echo(f"the stop parameter {own.safeguards.stop_parameter} says {word!r}")


def _heal(here: Context, *, from_account: bool) -> None:
    # who drills on this staging heals it, and so does a watchdog: two at once would fight
    with only_one(here.place, within_s=_OTHERS_HEAL_WITHIN_S):
        if here.staging == "local" and here.ledger.open_entries():
            ended = here.ledger.forget(lifecycle.generation(here.place))
            click.echo(f"{ended} faults were on local stagings that have ended" if ended else "healing")
        if not from_account and not here.ledger.open_entries():
            click.echo(activities.NOTHING)
            return

        def still(elapsed_s: float) -> None:
            left = ", ".join(entry.fault.rpartition(":")[2] for entry in here.ledger.open_entries())
            click.echo(f"  {elapsed_s:.0f} s, still to heal: {left}")

        drills = {entry.drill for entry in here.ledger.open_entries()}
        staging = here.attach()
        with telling(still):
            done = healing.heal(here, staging, from_account=from_account)
        click.echo(done)
        if done != activities.NOTHING:
            _look_once_more(here, staging, drills)


def _look_once_more(here: Context, staging: Staging, drills: Iterable[str]) -> None:
    """Leave loudly unless staging is what these drills had found."""
    for drill in sorted(drills):
        before = as_before.found_by(here, drill)
        if before is None:
            click.echo(f"{drill} took no snapshot here: whether staging is as before it is not known")
            continue

        def still(elapsed_s: float) -> None:
            click.echo(f"  {elapsed_s:.0f} s, staging is being compared with what it was")

        try:
            with telling(still):
                as_before.await_as_before(staging, before)
        except as_before.NotAsBefore as why:
            leaving.leave(ExitCode.NOT_HEALED, f"healed, but staging is not as before: {why}")
        click.echo(f"staging is as {drill} found it, and serves")


def _write_dead_man(here: Context, into: Path) -> None:
    own = here.own()
    if own is None:
        raise NoStaging(f"{here.staging} keeps nothing in its account")
    facts, safeguards = own.staging.facts, own.safeguards
    names = (
        facts.account, own.region, safeguards.table or "blackstart", own.schedule,
        safeguards.stop_parameter or "/blackstart/stop",
    )  # fmt: skip
    looks = Looks(
        region=facts.region, safety_lever=safeguards.safety_lever,
        change_calendars=rules.of(own.staging).change_calendars,
    )  # fmt: skip
    into.mkdir(parents=True, exist_ok=True)
    written = {
        "dead-man.json": template(*names, looks=looks),
        "own-policy.json": policy(*names, looks=looks),
    }
    for name, content in written.items():
        (into / name).write_text(json.dumps(content, indent=1) + "\n")
        click.echo(str(into / name))
