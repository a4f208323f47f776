"""The saboteur's word that it has really acted; without it, UNKNOWN may have had any other cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE: Final = "sabotaged"  # in the home of the drill


def leaving(home: Path, what: str) -> Callable[[], None]:
    """Return what a sabotage calls once it has acted, as often as it likes."""

    def acted() -> None:
        (home / FILE).write_text(f"{what}\n", encoding="utf-8")

    return acted


def was_left(home: Path) -> bool:
    """Tell whether the harness that ran in this home was really broken."""
    return (home / FILE).exists()
