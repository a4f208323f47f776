"""A self-test as a whole: as JSON that a bundle can carry, and as a table for people."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from selftest.cells import Defect, Healthy, Outcome, Sabotage
from selftest.matrix import DEFECTS, SABOTAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from selftest.campaign import Result
    from selftest.cells import Cell

SCHEMA = "blackstart/selftest/1"

Row = tuple[str, ...]
HEADS: Row = ("what was wrong", "drill", "must be", "was", "measured", "also missed", "s")


def build(cells: Sequence[Cell], results: Mapping[str, Result]) -> dict[str, Any]:
    """Return everything, with the summary first. A cell that was not run is named, never left out."""
    return {
        "schema": SCHEMA,
        "utc": datetime.now(UTC).isoformat(),
        "machine": f"{platform.node()}, {platform.platform()}",
        "version": version("blackstart"),
        "summary": summary(cells, results),
        "results": [asdict(results[cell.name]) for cell in cells if cell.name in results],
        "not run": [cell.name for cell in cells if cell.name not in results],
    }


def summary(cells: Sequence[Cell], results: Mapping[str, Result]) -> dict[str, Any]:
    """Return the counts that decide, and whether the harness tells the truth as far as was tried.

    It does when nothing is left to be run, all was as it must be, and one code did it, as it was committed:
    what a version has shown says nothing of the next.
    """
    found = [results[cell.name] for cell in cells if cell.name in results]
    codes = Counter(result.code for result in found)
    planned = {(cell.what, cell.drill) for cell in cells}
    unplanned = sum((cell.what, cell.drill) not in planned for cell in (*DEFECTS, *SABOTAGES))
    return {
        "right": len(found) == len(cells)
        and all(result.is_right for result in found)
        and len(codes) == 1
        and all(code.endswith(" clean") for code in codes),
        "whole": not unplanned,
        "runs planned": len(cells),
        "runs done": len(found),
        "defects and sabotages not planned": unplanned,
        "defects caught": _right(Defect, cells, results),
        "sabotages seen through": _right(Sabotage, cells, results),
        "healthy runs passed": _right(Healthy, cells, results),
        "defects planted": _share([cell for cell in cells if isinstance(cell, Defect)], results),
        "harness broken": _share([cell for cell in cells if isinstance(cell, Sabotage)], results),
        "healthy": _share([cell for cell in cells if isinstance(cell, Healthy)], results),
        "drills": sorted({cell.drill for cell in cells}),
        "not right": {result.cell: result.outcome for result in found if not result.is_right},
        "code": dict(codes),
    }


def _right(kind: type[Cell], cells: Sequence[Cell], results: Mapping[str, Result]) -> int:
    """Count the runs of one kind that came out as they had to."""
    ours = (results[cell.name] for cell in cells if isinstance(cell, kind) and cell.name in results)
    return sum(result.is_right for result in ours)


def _share(cells: Sequence[Cell], results: Mapping[str, Result]) -> dict[str, int]:
    """Return how many of them were run, and with what outcome."""
    outcomes = Counter(results[cell.name].outcome for cell in cells if cell.name in results)
    return {
        "planned": len(cells),
        **{str(outcome): outcomes[outcome] for outcome in Outcome if outcomes[outcome]},
    }


def rows(results: Sequence[Result]) -> list[Row]:
    """Return a row for each run."""
    return [
        (
            result.what, result.drill, result.must,
            f"{result.outcome.upper()} ({result.verdict or 'no record'})", result.measured,
            "; ".join([*(name for name in result.failed if name not in result.must), *result.reasons]) or "-",
            f"{result.seconds:.0f}",
        )
        for result in results
    ]  # fmt: skip
