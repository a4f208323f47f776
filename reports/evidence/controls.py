"""The map from evidence to the requirements that it supports, read from `controls.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

YEARS_MIN = 1
_KEYS = {"retention_years", "max_age_days", "components", "evidence", "not_shown"}


class BadControls(Exception):
    """The map is not one; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One kind of evidence; `drills` is empty when every drill gives it."""

    name: str
    file: str
    supports: dict[str, tuple[str, ...]]
    drills: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Component:
    """What a service rests on, and the drills that put it to the test."""

    name: str
    drills: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Controls:
    """The whole map."""

    retention_years: int
    max_age_days: int
    components: tuple[Component, ...]
    evidence: tuple[Evidence, ...]
    not_shown: tuple[str, ...]

    def given_by(self, drill: str) -> tuple[Evidence, ...]:
        """Return the kinds of evidence that one drill gives."""
        return tuple(one for one in self.evidence if not one.drills or drill in one.drills)

    def supported_by(self, drill: str, framework: str) -> tuple[str, ...]:
        """Return what a drill supports of one framework, sorted, each once."""
        return _sorted(ref for one in self.given_by(drill) for ref in one.supports.get(framework, ()))


def load(path: Path) -> Controls:
    """Read the map. Raises BadControls for anything that is not understood: a typo must not hide a gap."""
    try:
        read: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        if set(read) != _KEYS:
            raise BadControls(f"{path.name}: must hold exactly: {', '.join(sorted(_KEYS))}")
        controls = Controls(
            retention_years=int(read["retention_years"]),
            max_age_days=int(read["max_age_days"]),
            components=tuple(
                Component(**{**one, "drills": tuple(one["drills"])}) for one in read["components"]
            ),
            evidence=tuple(_evidence(one) for one in read["evidence"]),
            not_shown=tuple(read["not_shown"]),
        )
    except (yaml.YAMLError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadControls(f"{path.name}: {' '.join(str(error).split())}") from error
    if controls.retention_years < YEARS_MIN:
        raise BadControls(f"{path.name}: evidence is kept for a year at least")
    return controls


def _evidence(one: dict[str, Any]) -> Evidence:
    supports = {str(name): tuple(map(str, refs)) for name, refs in one["supports"].items()}
    return Evidence(**{**one, "supports": supports, "drills": tuple(one.get("drills", ()))})


def _sorted(references: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(references)))
