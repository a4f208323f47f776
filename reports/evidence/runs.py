"""The run ledger, outside every bundle: what was begun before it began, how it ended, what people said of it.

One chained file per home. A run without an end stays visible: it is a finding, not a gap.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blackstart import chain
from reports.evidence.sums import SIGN_OFFS, Problem, sha256

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reports.evidence.seal import Seal

RUNS = "runs.jsonl"
STARTED, FINISHED, SIGNED_OFF = "started", "finished", "signed off"
FINDING, ACCEPTED, RETESTED = "finding", "risk accepted", "retested"
ARCHIVED = "archived"


class Runs:
    """The run ledger of one home."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, run: str, what: str, **detail: object) -> str:
        """Write a line down; return its hash once it is on the disk."""
        file = chain.open_for_append(self.path)
        try:
            body = {"utc": datetime.now(UTC).isoformat(), "run": run, "what": what, **detail}
            linked = chain.append(file, body)
            os.fsync(file)
        finally:
            os.close(file)
        return linked

    def lines(self) -> tuple[dict[str, Any], ...]:
        """Return every line. Raises ChainBroken."""
        return tuple(chain.read(self.path))

    def of(self, run: str, what: str) -> list[dict[str, Any]]:
        """Return the lines of one kind about one run. Raises ChainBroken."""
        return [line for line in self.lines() if line["run"] == run and line["what"] == what]

    def unfinished(self) -> list[dict[str, Any]]:
        """Return the lines of runs that were begun and never ended. Raises ChainBroken."""
        lines = self.lines()
        ended = {line["run"] for line in lines if line["what"] == FINISHED}
        return [line for line in lines if line["what"] == STARTED and line["run"] not in ended]


def against(runs: Runs, seal: Seal, *, plan_sha256: str, seal_sha256: str) -> Iterator[Problem]:
    """Yield where the run ledger and a sealed bundle tell different stories."""
    try:
        lines = runs.lines()
    except chain.ChainBroken as error:
        yield Problem(check="run ledger", where=runs.path.name, what=str(error))
        return
    started = [line for line in lines if line["hash"] == seal.begun_as]
    if not started:
        what = "does not hold the line that the seal names: it was cut or rewritten, or is another one"
        yield Problem(check="run ledger", where=runs.path.name, what=what)
        return
    if (started[0]["run"], started[0]["what"]) != (seal.run, STARTED):
        what = f"the line that the seal names is of {started[0]['run']}, {started[0]['what']}"
        yield Problem(check="run ledger", where=runs.path.name, what=what)
    if started[0].get("plan") != plan_sha256:
        yield Problem(check="run ledger", where="plan.json", what="is not the plan that was announced")
    yield from _ends(lines, seal, seal_sha256, runs.path.name)


def unsaid(runs: Runs, folder: Path, run: str, *, until: str = "") -> Iterator[Problem]:
    """Yield each sign-off that the run ledger knows and the bundle does not hold.

    `until` is the hash of the line from which on this copy of the bundle could not know of one: a game day's.
    """
    there = {sha256(path) for path in (folder / SIGN_OFFS).glob("*") if path.is_file()}
    try:
        lines = runs.lines()
    except chain.ChainBroken:  # told already
        return
    for line in lines:
        if until and line["hash"] == until:
            return
        if (line["run"], line["what"]) == (run, SIGNED_OFF) and line.get("sha256") not in there:
            what = (
                f"{line.get('by')} signed off ({line.get('decision')}, {line['utc'][:10]}): that is not here"
            )
            yield Problem(check="sign-off", where=SIGN_OFFS, what=what)


def never_ended(runs: Runs, run: str, *, plan_sha256: str | None) -> Iterator[Problem]:
    """Yield where the run ledger contradicts a bundle without a seal: it may have had one."""
    where = runs.path.name
    try:
        lines = [line for line in runs.lines() if line["run"] == run]
    except chain.ChainBroken as error:
        yield Problem(check="run ledger", where=where, what=str(error))
        return
    started = [line for line in lines if line["what"] == STARTED]
    if not started:
        yield Problem(check="run ledger", where=where, what=f"knows no run {run}")
    elif started[0].get("plan") != plan_sha256:
        yield Problem(check="run ledger", where="plan.json", what="is not the plan that was announced")
    if any(line["what"] == FINISHED and line.get("seal") for line in lines):
        what = "the run ended, and was sealed: its seal has been taken away"
        yield Problem(check="run ledger", where="SEAL.txt", what=what)


def _ends(lines: tuple[dict[str, Any], ...], seal: Seal, seal_sha256: str, where: str) -> Iterator[Problem]:
    ends = [line for line in lines if line["run"] == seal.run and line["what"] == FINISHED]
    if not ends:
        what = "does not know that this run has ended: its tail was cut, or the run was killed while sealing"
        yield Problem(check="run ledger", where=where, what=what)
    for end in ends:
        if end.get("seal") != seal_sha256:
            what = "the run ended with another seal than this one: the bundle was made again"
            yield Problem(check="run ledger", where=where, what=what)
        if end.get("verdict") != seal.verdict:
            what = f"the run ended {end.get('verdict')}, the seal says {seal.verdict}"
            yield Problem(check="run ledger", where=where, what=what)
