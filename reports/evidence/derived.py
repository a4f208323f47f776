"""What people look at, made again from the record and the history: page, chart, its numbers, JUnit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports import charts, files, junit
from reports.evidence.differences import Difference
from reports.page import page
from reports.series import marks, series, to_csv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.history import History
    from reports.record import Record


def differences(folder: Path, told: Record, history: History) -> Iterator[Difference]:
    """Yield each file that this version would not have made from that record."""
    for name, content in _made_again(folder, told, history):
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            yield Difference(
                file=name, path="it", told="something else than the record" if path.exists() else "nothing",
                found="what the record and the history give", is_of_substance=False,
            )  # fmt: skip


def _made_again(folder: Path, told: Record, history: History) -> Iterator[tuple[str, bytes]]:
    yield junit.FILE, junit.xml(told).encode()
    if not len(history.requests):
        yield files.PAGE, page(told, None).encode()
        return
    drawn, marked = series(history), marks(history, told["recovery"])
    yield files.CHART, charts.draw(drawn, marked)
    yield files.NUMBERS, to_csv(drawn).encode()
    drawn_then = (folder / files.CHART).read_bytes() if (folder / files.CHART).exists() else None
    yield files.PAGE, page(told, drawn_then, charts.alternative(drawn, marked)).encode()
