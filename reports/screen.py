"""The one screen at the end of a drill: the verdict, each promise, what happened when, where the report is.

It reads without colour, and in a log file as well as in a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reports import words
from reports.earlier import SLOWER

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from reports.record import ObjectiveRecord, Record

COLUMNS = ("objective", "measured", "promised", "clause", "verdict")
STYLES = {"PASSED": "bold green", "UNKNOWN": "bold yellow", "FAILED": "bold red"}
# what happened often or goes without saying is in the report, not on the screen
QUIET = ("watching", "alarms are", "phase: ", "load ")


def show(record: Record, console: Console, report: Path | None = None) -> None:
    """Print the screen."""
    console.print()
    console.print(_headline(record), soft_wrap=True)
    console.print(_subtitle(record), soft_wrap=True)
    for line in [_table(record)] if console.is_terminal else _lines(record):
        console.print(line, soft_wrap=not console.is_terminal, markup=False)
    for line in (
        *_doubts(record),
        *_discrepancies(record),
        *_figures(record),
        *_slower(record),
        f"\nLeft running: {words.left(record['left'])}",
        *_timeline(record),
    ):
        console.print(line, soft_wrap=True, markup=False)
    if report:
        console.print(Text.assemble("\nReport: ", (str(report), "bold")), soft_wrap=True)


def _headline(record: Record) -> Text:
    verdict = record["verdict"]
    promises = record["preconditions"] + record["objectives"]
    why = words.headline(verdict, promises, record["reasons"])
    return Text.assemble((verdict, STYLES[verdict]), f"  {record['drill']}: {why}")


def _subtitle(record: Record) -> Text:
    staging = record["staging"]
    planted = f", with planted defects: {', '.join(staging['defects'])}" if staging["defects"] else ""
    load = f"{record['rate_per_s']:,g} requests/s, seed {record['seed']}"
    where = f"{staging['name']} ({staging['isolation']}, timings {staging['timings']}{planted})"
    return Text(f"{record['title']}.\n{load}, on {where}, run {record['run']}", style="dim")


def _table(record: Record) -> Table:
    table = Table(*COLUMNS, box=SIMPLE_HEAD, pad_edge=False)
    for row in _rows(record):
        table.add_row(*map(Text, row[:-1]), Text(row[-1], style=STYLES[row[-1]]))
    return table


def _lines(record: Record) -> list[str]:
    """Return the table for a file, where a line is as long as it needs to be."""
    rows = [COLUMNS, *_rows(record)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return ["", *lines]


def _rows(record: Record) -> list[tuple[str, ...]]:
    return [
        (o["name"], words.interval(o["measured"]), words.limit(o), o["clause"], o["verdict"])
        for o in record["preconditions"] + record["objectives"]
    ]


def _doubts(record: Record) -> list[str]:
    """Say of each promise that was not kept how it was measured, and of the drill what went wrong."""
    lines = [_doubt(o) for o in record["preconditions"] + record["objectives"] if o["verdict"] != "PASSED"]
    return ["", *lines, *record["reasons"]] if lines or record["reasons"] else []


def _doubt(objective: ObjectiveRecord) -> str:
    return f"{objective['verdict']}  {objective['name']}: {objective['measured']['note']}"


def _discrepancies(record: Record) -> list[str]:
    total, first = record["discrepancies"]["total"], record["discrepancies"]["first"][:5]
    if not total:
        return []
    lines = [f"  {found['kind']}: {found['key']} ({found['detail']})" for found in first]
    more = [f"  and {total - len(first)} more"] if total > len(first) else []
    return ["", f"The books do not agree in {total} places:", *lines, *more]


def _slower(record: Record) -> list[str]:
    slower = [one for one in record["compared"] if one["said"] == SLOWER]
    return [f"SLOWER THAN BEFORE: {one['name']}: {one['why']}" for one in slower]


def _figures(record: Record) -> list[str]:
    shown = [f"  {figure['name']}: {words.interval(figure['measured'])}" for figure in record["figures"]]
    return ["\nNot promised, but good to know:", *shown] if shown else []


def _timeline(record: Record) -> list[str]:
    lines = [
        f"{words.moment(line['at_s'])}  {line['what']}"
        for line in record["timeline"]
        if not line["what"].startswith(QUIET)
    ]
    since = "the injection" if record["zero"]["is"] == "injection" else "the start; nothing was injected"
    return [f"\nWhat happened, counted from {since}:", *lines] if lines else []
