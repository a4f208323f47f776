"""How a command leaves: one clear line, and the exit code that is true."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console

from blackstart.exit_code import ExitCode
from blackstart.ledger import LedgerBroken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blackstart.context import Context

ERR = Console(stderr=True, highlight=False)


def leave(code: ExitCode, message: str) -> NoReturn:
    """Say it, and end the process."""
    ERR.print(f"blackstart: {message}", markup=False, soft_wrap=True)
    sys.exit(code)


def one_line(error: BaseException) -> str:
    """Return what an error says, without its line breaks."""
    return " ".join(str(error).split())


def not_healed(context: Context, error: BaseException) -> NoReturn:
    """Leave loudly: staging may be broken."""
    why = f"{type(error).__name__}: {one_line(error)}"
    leave(ExitCode.NOT_HEALED, f"not healed: {_left(context)}: {why}. To try again: blackstart heal")


@contextmanager
def truthfully(context: Context, *, but: type[Exception]) -> Iterator[None]:
    """Run a drill in this: what breaks after it has changed staging is neither bad usage nor a refusal.

    `but` says by itself what it means.
    """
    before = len(context.ledger.entries())
    try:
        yield
    except but:
        raise
    except Exception as error:
        if len(context.ledger.entries()) == before:
            raise
        if context.ledger.open_entries():
            not_healed(context, error)
        why = f"{type(error).__name__}: {one_line(error)}"
        leave(ExitCode.UNKNOWN, f"the drill broke off, and staging is healed: {why}")


def _left(context: Context) -> str:
    """Name what is still to be healed."""
    try:
        return ", ".join(entry.fault.rpartition(":")[2] for entry in context.ledger.open_entries())
    except (LedgerBroken, OSError):
        return "nobody can tell what"
