"""Where two JSON values differ, path by path, and whether it matters who made them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.evidence.sums import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRECISION = 1e-9  # relative; other versions of the numeric libraries may differ by less
_PROSE = ("note", "what")  # words around figures, which another version of ours may choose differently
_SHOWN = 120
_MISSING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One value that is not as it was found when measured again."""

    file: str
    path: str
    told: str
    found: str
    is_of_substance: bool  # not only words, or made by this version's layout

    def __str__(self) -> str:
        """As one line."""
        return f"{self.file}: {self.path} says {self.told}, measured again it is {self.found}"

    @property
    def problem(self) -> Problem:
        """As a problem of the bundle."""
        what = f"{self.path} says {self.told}, measured again it is {self.found}"
        return Problem(check="figures", where=self.file, what=what)


def differences(file: str, told: Any, found: Any, path: str = "") -> Iterator[Difference]:
    """Yield each leaf that differs; numbers may differ in their last digits."""
    if isinstance(told, dict) and isinstance(found, dict):
        for name in sorted({*told, *found}):
            inner = f"{path}.{name}" if path else name
            if name in told and name in found:
                yield from differences(file, told[name], found[name], inner)
            else:
                # a version of ours that measures more is no contradiction; one that measures less cannot tell
                yield _difference(
                    file, inner, told.get(name, _MISSING), found.get(name, _MISSING), name in told
                )
    elif isinstance(told, list) and isinstance(found, list) and len(told) == len(found):
        for number, (one, other) in enumerate(zip(told, found, strict=True)):
            yield from differences(file, one, other, f"{path}[{_label(one, number)}]")
    elif not _same(told, found):
        yield _difference(file, path or "it", told, found, path.rpartition(".")[2] not in _PROSE)


def _difference(file: str, path: str, told: Any, found: Any, matters: bool) -> Difference:
    return Difference(file=file, path=path, told=_short(told), found=_short(found), is_of_substance=matters)


def _same(told: Any, found: Any) -> bool:
    if isinstance(told, bool) or isinstance(found, bool):
        return told is found
    if isinstance(told, int | float) and isinstance(found, int | float):
        return math.isclose(told, found, rel_tol=_PRECISION, abs_tol=_PRECISION)
    return bool(told == found)


def _label(item: Any, number: int) -> str:
    return str(item.get("name", number)) if isinstance(item, dict) else str(number)


def _short(value: Any) -> str:
    text = value if value is _MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
