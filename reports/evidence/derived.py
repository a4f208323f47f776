"""What people look at, made again from the record and the history: page, chart, its numbers, JUnit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blackstart import runbook_print
from reports import allure_results, files, junit, pictures, restores
from reports.evidence import parsed
from reports.evidence.differences import Difference
from reports.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from blackstart.history import History
    from reports.record import Record


def differences(
    folder: Path, record: Record, history: History, lost: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Yield each file that this version would not have made from this record.

    Other words and another layout are those of another version; other figures and verdicts are of substance.
    """
    made = dict(_made_again(folder, record, history, lost))
    for name, content in made.items():
        path = folder / name
        told = path.read_bytes() if path.exists() else None
        if told != content:
            yield Difference(
                file=name, path="it", told="nothing" if told is None else "something else than the record",
                found="what the record and the history give",
                is_of_substance=parsed.is_data(name)
                and (told is None or not parsed.says_the_same(name, told, content)),
            )  # fmt: skip
    for path in sorted((folder / allure_results.FOLDER).glob(f"*{parsed.RESULT}")):
        name = f"{allure_results.FOLDER}/{path.name}"
        if name not in made:
            yield Difference(
                file=name, path="it", told="a result", found="no such test", is_of_substance=True
            )


def checklists(folder: Path, history: History) -> Iterator[Difference]:
    """Yield each runbook in the folder that tells of steps, or of an end, which the history does not know."""
    taken = {
        runbook_print.step_taken(*(event.detail[name] for name in ("step", "outcome", "seconds", "detail")))
        for event in history.events
        if event.kind == "runbook.step"
    }
    taken |= {
        runbook_print.ended(str(event.detail["outcome"]))
        for event in history.events
        if event.kind == "runbook.end"
    }
    for path in sorted(folder.glob("runbook-*.md")):
        text = path.read_text(encoding="utf-8")
        for known in sorted(taken, key=len, reverse=True):
            text = text.replace(known, "")
        for line in text.splitlines():
            if line.startswith(("- [", runbook_print.ended(""))):
                yield Difference(
                    file=path.name, path="it", told=line, found="no such step, or end", is_of_substance=False
                )


def _made_again(
    folder: Path, record: Record, history: History, lost: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, bytes]]:
    yield junit.FILE, junit.xml(record).encode()
    if lost or (folder / files.LOST).exists():
        yield files.LOST, restores.lost_csv(lost).encode()
    drawn = pictures.of(record, history)
    if drawn is not None:
        yield files.CHART, drawn.svg
        yield files.NUMBERS, drawn.csv.encode()
        if (folder / files.CHART).exists():  # another version may draw it otherwise: that is told once
            drawn = replace(drawn, svg=(folder / files.CHART).read_bytes())
    yield files.PAGE, page(record, drawn).encode()
    for name, content in allure_results.files_of(record, files.shown(drawn)).items():
        yield f"{allure_results.FOLDER}/{name}", content
