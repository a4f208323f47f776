"""`blackstart runbook`: list the runbooks, print one, or follow one on a staging."""

from __future__ import annotations

import importlib
import sys
import types
import typing
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from blackstart import guards, runbook_print
from blackstart.activities import load_runbook
from blackstart.choke import Refused
from blackstart.context import Context
from blackstart.exit_code import ExitCode
from blackstart.fault import NothingToBreak
from blackstart.holding import held_if_possible
from blackstart.lock import only_one
from blackstart.runbook import RunbookFailed
from blackstart.runbook_run import follow, name_of, open_run
from blackstart.waiting import TooLate
from runbooks import RUNBOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from blackstart.runbook import Runbook

_NEXT = "Go on with --resume, or clean up with: blackstart heal"
_WORDS = {"true": True, "false": False}


def command(clear_errors: Callable[[Callable[..., Any]], Callable[..., Any]]) -> click.Command:
    """Return the command."""

    @click.command("runbook")
    @click.argument("name", required=False)
    @click.option("--print", "as_checklist", is_flag=True, help="As a checklist; needs nothing that runs.")
    @click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="An argument; repeatable.")
    @click.option("--resume", is_flag=True, help="Go on with the run that was cut off.")
    @click.option("--staging", default="local", show_default=True, help="local, or an AWS staging's file.")
    @click.pass_obj
    @clear_errors
    def runbook(home: Path, name: str | None, as_checklist: bool, **options: Any) -> None:
        """List the runbooks, print one, or follow one step by step on the staging."""
        if name is None:
            for known, what in listing().items():
                click.echo(f"{known}: {what}")
        elif as_checklist:
            click.echo(checklist(name, options["settings"]), nl=False)
        else:
            _run_and_say(Context(home=str(home), staging=options["staging"]), name, options)

    return runbook


def listing() -> dict[str, str]:
    """Return every runbook's name as people type it, with what it is for."""
    return {_typed(name): _summary(_type(name)) for name in RUNBOOKS}


def made(name: str, settings: Iterable[str]) -> Runbook:
    """Return the runbook of this name with its arguments, each as "field=value". Raises UsageError."""
    module = name.replace("-", "_")
    if module not in RUNBOOKS:
        raise click.UsageError(f"no runbook is called {name!r}; there are: {', '.join(listing())}")
    kind = _type(module)
    arguments = dict(_argument(kind, setting) for setting in settings)
    try:
        runbook: Runbook = kind(**arguments)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return runbook


def checklist(name: str, settings: Iterable[str]) -> str:
    """Return the runbook as Markdown. Needs nothing that runs."""
    return runbook_print.checklist(made(name, settings))


def run(
    context: Context, name: str, settings: tuple[str, ...], say: Callable[[str], None], *, resume: bool
) -> str:
    """Follow a runbook on the staging, or go on with the one that was cut off.

    Raises Refused before anything is changed.
    """
    runbook = made(name, settings)
    # to recover must go on also when the account's table is away
    with only_one(context.place), held_if_possible(context, name) as leased:
        staging = leased.attach()
        guards.check_stop_switch(context.stop_switch)
        if not resume:
            return follow(leased, staging, runbook, say=say)
        entry = open_run(leased)
        if entry is None or entry.fault != name_of(type(runbook)):
            raise Refused(f"{name} was not cut off: there is nothing to resume")
        if settings:
            raise Refused("a runbook is resumed with the arguments it was begun with")
        return follow(leased, staging, load_runbook(entry.fault, entry.arguments), resume=entry, say=say)


def _run_and_say(context: Context, name: str, options: dict[str, Any]) -> None:
    try:
        click.echo(run(context, name, options["settings"], click.echo, resume=options["resume"]))
    except NothingToBreak as nothing:
        raise click.UsageError(str(nothing)) from nothing
    except KeyboardInterrupt:
        if open_run(context) is None:
            raise
        click.echo(f"blackstart: stopped. {_NEXT}", err=True)
        sys.exit(ExitCode.NOT_HEALED)
    except (RunbookFailed, TooLate, ClientError, BotoCoreError) as error:
        if open_run(context) is None:
            raise click.UsageError(f"nothing was changed: {error}") from error
        click.echo(f"blackstart: {error}. {_NEXT}", err=True)
        sys.exit(ExitCode.NOT_HEALED)


def _argument(kind: type[Any], setting: str) -> tuple[str, Any]:
    name, equals, text = setting.partition("=")
    types_of = typing.get_type_hints(kind)
    if not equals or name not in {field.name for field in fields(kind)}:
        known = ", ".join(field.name for field in fields(kind))
        raise click.UsageError(f"{setting!r}: field=value was expected; the fields are: {known}")
    return name, _value(name, text, types_of[name])


def _value(name: str, text: str, wanted: Any) -> Any:
    kinds = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    for kind in kinds:
        if kind is str:
            return text
        if kind is bool and text in _WORDS:
            return _WORDS[text]
        if kind in (int, float):
            try:
                return kind(text)
            except ValueError as error:
                raise click.UsageError(f"{name} is {text!r}, a number was expected") from error
    raise click.UsageError(f"{name} cannot be {text!r}")


def _type(name: str) -> type[Any]:
    """Return the runbook's class: it is called as its module is."""
    words = "".join(word.capitalize() for word in name.split("_"))
    kind: type[Any] = getattr(importlib.import_module(f"runbooks.{name}"), words)
    return kind


def _typed(name: str) -> str:
    return name.replace("_", "-")


def _summary(kind: type[Any]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
