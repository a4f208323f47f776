"""Runs cells one after the other, each on a staging of its own, and keeps what came of them on disk.

`results.jsonl` in the campaign's folder has a line per run, so that a campaign that was cut off goes on where
it was, and `planned.json` all that was ever to be run there: a part that is run again is not the whole. A run
is a `blackstart drill` in a process and a home of its own, as people would run it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from selftest import marker
from selftest.cells import Defect, Healthy, Outcome, Sabotage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from selftest.cells import Cell

RESULTS, PLANNED = "results.jsonl", "planned.json"
_KINDS = {kind.__name__: kind for kind in (Defect, Sabotage, Healthy)}
_MAIN = "from blackstart.cli import main; main()"
_WITHIN_S = 1200.0  # the longest drill, with its staging; who hangs for longer is ended
_END_WITHIN_S = 60.0
_TOLD = 300


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one cell."""

    cell: str
    what: str  # the defect, the sabotage, or "healthy"
    drill: str
    must: str
    rate: float
    outcome: str
    verdict: str  # of the drill; empty when it left no record
    failed: list[str]  # objectives that were missed
    measured: str  # for the objective that had to be missed
    reasons: list[str]
    seconds: float
    code: str  # commit and tree that it was run with

    @property
    def is_right(self) -> bool:
        """Whether that is what had to come of it."""
        return self.outcome == Outcome.CAUGHT


class Campaign:
    """A folder with what has been run so far; `code` says with which code."""

    def __init__(self, folder: Path, code: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._code = code
        self._say = say
        folder.mkdir(parents=True, exist_ok=True)
        self.results: dict[str, Result] = {result.cell: result for result in self._read()}

    def plan(self, cells: Iterable[Cell]) -> list[Cell]:
        """Add these to what is to be run in this folder; return all of it."""
        path = self._folder / PLANNED
        lines = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        before: list[Cell] = [_KINDS[line["kind"]](**line["cell"]) for line in lines]
        planned = {cell.name: cell for cell in (*before, *cells)}
        lines = [{"kind": type(cell).__name__, "cell": asdict(cell)} for cell in planned.values()]
        whole = self._folder / f"{PLANNED}.new"  # a torn one would forget what was planned
        whole.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
        whole.replace(path)
        return list(planned.values())

    def run(self, cells: Iterable[Cell], *, seed: int, until_s: float | None = None) -> list[Cell]:
        """Run every cell that has no result yet; return those that are left when the time is up.

        `until_s` is an instant of the monotonic clock, after which no further one is begun.
        """
        left = [cell for cell in cells if cell.name not in self.results]
        for number, cell in enumerate(left, start=1):
            if until_s is not None and time.monotonic() > until_s:
                return left[number - 1 :]
            self._say(f"{number} of {len(left)}: {cell.name}, which must be {cell.must}")
            result = self._run(cell, seed)
            self._keep(result)
            self._say(f"  {result.outcome.upper()}: {result.verdict or 'no record'}  {told(result)}")
        return []

    def forget_wrong(self) -> None:
        """Let those be run again that were not right, or by other code; of a cell the newest line counts."""
        self.results = {
            name: result
            for name, result in self.results.items()
            if result.is_right and result.code == self._code
        }

    def _run(self, cell: Cell, seed: int) -> Result:
        home = self._folder / "cells" / cell.name
        shutil.rmtree(home, ignore_errors=True)  # of a run that was cut off, or was not right
        home.mkdir(parents=True)
        began = time.monotonic()
        trouble = _drill(cell, home, seed)
        seconds = round(time.monotonic() - began, 1)
        record = _record(home)
        if record is None:
            return self._result(cell, Outcome.NOT_RUN, seconds, reasons=[trouble])
        outcome, doubts = _outcome(cell, record, home)
        failed = [one["name"] for one in record["objectives"] if one["verdict"] == "FAILED"]
        return self._result(
            cell, outcome, seconds, reasons=[*doubts, *record["reasons"]], verdict=record["verdict"],
            failed=failed, measured=_measured(record, getattr(cell, "objective", "")),
        )  # fmt: skip

    def _result(
        self, cell: Cell, outcome: Outcome, seconds: float, *, reasons: list[str], verdict: str = "",
        failed: list[str] | None = None, measured: str = "",
    ) -> Result:  # fmt: skip
        return Result(
            cell=cell.name, what=cell.what, drill=cell.drill, must=cell.must, rate=cell.rate,
            outcome=outcome.value, verdict=verdict, failed=failed or [], measured=measured, reasons=reasons,
            seconds=seconds, code=self._code,
        )  # fmt: skip

    def _keep(self, result: Result) -> None:
        self.results[result.cell] = result
        with (self._folder / RESULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")

    def _read(self) -> list[Result]:
        """Return the results so far; a torn last line was cut off, and its cell is run again."""
        path = self._folder / RESULTS
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        path.write_text("".join(whole), encoding="utf-8")
        return [Result(**json.loads(line)) for line in whole]


def told(result: Result) -> str:
    """Say in one line what a run came to."""
    return "; ".join([*result.failed, *result.reasons])[:_TOLD]


def _drill(cell: Cell, home: Path, seed: int) -> str:
    """Run the drill; return the end of what it said, for when it leaves no record."""
    words = ["--home", str(home), "drill", cell.drill, "--rate", f"{cell.rate:g}", "--seed", str(seed)]
    words += [*cell.options, *(("--isolation", cell.isolation) if cell.isolation else ())]
    start = ["-m", "selftest.saboteur", cell.what] if isinstance(cell, Sabotage) else ["-c", _MAIN]
    log = home / "drill.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *start, *words], stdout=output, stderr=output)
        try:
            process.wait(_WITHIN_S)
        except subprocess.TimeoutExpired:
            _end(process)
        except BaseException:  # we are told to stop: the drill heals and ends first
            _end(process)
            raise
    return log.read_text(errors="replace")[-_TOLD:].strip()


def _outcome(cell: Cell, record: dict[str, Any], home: Path) -> tuple[Outcome, list[str]]:
    """Say what came of a run, and what speaks against a sabotage having been its cause."""
    outcome = cell.judge(record)
    if isinstance(cell, Sabotage) and outcome is Outcome.CAUGHT:
        doubt = cell.doubt(record, acted=marker.was_left(home))
        return (Outcome.UNPROVEN, [doubt]) if doubt else (outcome, [])
    return outcome, []


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have the drill stop, which heals; kill it when it does not. Its staging ends with it."""
    process.terminate()
    try:
        process.wait(_END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _record(home: Path) -> dict[str, Any] | None:
    """Return the newest record in a home, None when there is none."""
    found = sorted((home / "drills").glob("*/record.json"))
    record: dict[str, Any] | None = json.loads(found[-1].read_bytes()) if found else None
    return record


def _measured(record: dict[str, Any], objective: str) -> str:
    """Say what was measured for the objective, and what was promised."""
    found = next((one for one in record["objectives"] if one["name"] == objective), None)
    if found is None:
        return ""
    measured = found["measured"]
    if measured["low"] is None and measured["high"] is None:
        return f"not measured: {measured['note']}"
    low, high = (_number(measured[end]) for end in ("low", "high"))
    return f"{low} to {high} {measured['unit']}" if low != high else f"{low} {measured['unit']}"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"
