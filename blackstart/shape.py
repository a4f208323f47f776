"""Which Chaos Toolkit files drills accept: fewer than Chaos Toolkit does, and nothing that would be ignored.

Code from elsewhere, processes, HTTP calls, controls, secrets and a `runtime` of its own have no place here.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

from blackstart.arguments import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FILE = {
    "title", "description", "version", "tags", "configuration", "steady-state-hypothesis", "method",
    "rollbacks",
}  # fmt: skip
_HYPOTHESIS = {"title", "probes"}
_ACTIVITY = {"type", "name", "provider", "tolerance"}
_PROVIDER = {"type", "module", "func", "arguments"}
_MODULE = re.compile(r"(faults|runbooks|probes)\.\w+|blackstart\.observe|chaosaws\.\w+\.(actions|probes)")


class BadShape(Exception):
    """The message says which field, and what was expected."""


def check_shape(experiment: object) -> None:
    """Refuse what drills do not know, before anything that the file names is imported. Raises BadShape."""
    whole = _mapping(experiment, "the file", _FILE)
    hypothesis = whole.get("steady-state-hypothesis")
    if hypothesis is not None:
        _mapping(hypothesis, "steady-state-hypothesis", _HYPOTHESIS)
    if not isinstance(whole.get("title"), str):
        raise BadShape(f"title is {whole.get('title')!r}, a sentence was expected")
    for activity in _activities(whole):
        name = f"activity {_mapping(activity, 'an activity', _ACTIVITY).get('name')!r}"
        provider = _mapping(activity.get("provider"), f"the provider of {name}", _PROVIDER)
        if provider.get("type") != "python":
            raise BadShape(
                f"the provider of {name} is of type {provider.get('type')!r}, 'python' was expected"
            )
        module, func = provider.get("module"), provider.get("func")
        if not isinstance(module, str) or not _MODULE.fullmatch(module):
            raise BadShape(f"{name} calls module {module!r}: one of this project's or chaosaws' was expected")
        if not isinstance(func, str) or func.startswith("_"):
            raise BadShape(f"{name} calls {func!r}, a function's name was expected")


def check_arguments(experiment: Mapping[str, Any]) -> None:
    """Refuse arguments of another kind than faults and runbooks declare. Raises BadShape and BadArguments."""
    for activity in _activities(experiment):
        provider = activity["provider"]
        function = getattr(importlib.import_module(provider["module"]), provider["func"], None)
        kind = getattr(function, "made_from", None)
        if kind is not None:
            check(kind, _mapping(provider.get("arguments") or {}, "arguments", None))


def _activities(experiment: Mapping[str, Any]) -> Iterator[Any]:
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    for where, listed in (
        ("probes", hypothesis.get("probes") or []),
        ("method", experiment.get("method")),
        ("rollbacks", experiment.get("rollbacks") or []),
    ):
        if not isinstance(listed, list):
            raise BadShape(f"{where} is {listed!r}, a list of activities was expected")
        yield from listed


def _mapping(content: object, what: str, known: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise BadShape(f"{what} is {_short(content)}, a mapping was expected")
    unknown = sorted(str(name) for name in content if known is not None and name not in known)
    if unknown:
        raise BadShape(f"{what} has the field {unknown[0]!r}, which drills do not know")
    return content


def _short(content: object) -> str:
    text = repr(content)
    return text if len(text) < 60 else f"{text[:57]}..."  # noqa: PLR2004 - as much as fits into a line
