"""Whether the arguments that an experiment gives to a fault or a runbook are of the declared kinds."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class BadArguments(Exception):
    """The message says which argument, and what was expected."""


# By the annotation, as it is written: its names may be known to type checkers alone.
_IS: dict[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "tuple[str, ...]": lambda value: (
        isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    ),
    "None": lambda value: value is None,
}


def made(kind: type[Any], arguments: Mapping[str, Any]) -> Any:
    """Return the fault, or runbook, with these arguments. Raises BadArguments."""
    check(kind, arguments)
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise BadArguments(f"{kind.__name__}: {error}") from error


def check(kind: type[Any], arguments: Mapping[str, Any]) -> None:
    """Raise BadArguments for an argument that is unknown, or not of the declared kind.

    One that the experiment's configuration is yet to fill in ("${...}") is taken as it is.
    """
    declared = {field.name: str(field.type) for field in fields(kind)}
    for name, value in arguments.items():
        if name not in declared:
            raise BadArguments(f"{kind.__name__} has no argument {name!r}; there are: {', '.join(declared)}")
        if not _fits(declared[name], value) and "${" not in str(value):
            raise BadArguments(f"argument {name!r} of {kind.__name__} is {value!r}, not {declared[name]}")


def _fits(annotation: str, value: Any) -> bool:
    checks = [_IS.get(name) for name in annotation.split(" | ")]
    # a name that is not known here is the fault's own to judge
    return any(check is None or check(value) for check in checks)
