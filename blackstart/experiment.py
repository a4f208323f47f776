"""Run one Chaos Toolkit experiment in a process of its own; the journal says what happened.

Run as `python -m blackstart.experiment FILE JOURNAL`. Chaos Toolkit is the host, not the judge: it swallows
signals and calls failed actions *completed*, so nothing of its exit code is used. The conductor ends this
process when it must, and heals from the ledger.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from chaoslib.exceptions import ChaosException
from chaoslib.experiment import ensure_experiment_is_valid, run_experiment
from chaoslib.types import Strategy

from blackstart import context, journaling, lifeline, observe
from blackstart.arguments import BadArguments
from blackstart.shape import BadShape, check_arguments, check_shape
from blackstart.waiting import wait_until

_WORD_WITHIN_S = 600.0
_BYTES_MAX = 100_000
# Chaos Toolkit's own checks raise whatever Python does at fields of other kinds than they expect.
_INVALID = (
    yaml.YAMLError, ChaosException, BadShape, BadArguments, AttributeError, TypeError, KeyError, ValueError,
    IndexError, ImportError, RecursionError,
)  # fmt: skip


class InvalidExperiment(Exception):
    """The experiment file is not one; the message says which file and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What the journal proves of an experiment that ran."""

    ran: bool
    failures: tuple[str, ...]


def load(path: Path) -> dict[str, Any]:
    """Read and validate an experiment file. Raises InvalidExperiment."""
    if not path.is_file():
        raise InvalidExperiment(f"{path}: there is no such experiment file")
    if path.stat().st_size > _BYTES_MAX:
        raise InvalidExperiment(f"{path}: longer than {_BYTES_MAX} bytes, which no experiment is")
    try:
        experiment: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        check_shape(experiment)
        ensure_experiment_is_valid(experiment)
        check_arguments(experiment)
    except _INVALID as error:
        raise InvalidExperiment(f"{path}: {' '.join(str(error).split())}") from error
    return experiment


def read_journal(path: Path) -> Journal:
    """Return what the journal at `path` proves; a missing one proves nothing."""
    if not path.exists():
        return Journal(ran=False, failures=("no journal was left",))
    try:
        journal = json.loads(path.read_text())
    except ValueError:  # whoever wrote it was killed
        return Journal(ran=False, failures=("the journal cannot be read",))
    before = (journal.get("steady_states") or {}).get("before") or {}
    failures = [] if before.get("steady_state_met") else ["the steady state did not hold before"]
    failures += _failed(journal.get("run", []), "method") + _failed(journal.get("rollbacks", []), "rollback")
    return Journal(ran=bool(journal.get("run")), failures=tuple(failures))


def doubts(journal: Journal) -> tuple[str, ...]:
    """Return what the journal leaves unproven."""
    return journal.failures if journal.ran else (*journal.failures, "the method did not run")


def _failed(runs: list[dict[str, Any]], where: str) -> list[str]:
    return [
        f"{where} activity {run['activity']['name']!r}: {_why(run)}"
        for run in runs
        if run.get("status") != "succeeded" or run.get("output") is False
    ]


def _why(run: dict[str, Any]) -> str:
    exception = run.get("exception") or []
    last = exception[-1] if isinstance(exception, list) and exception else ""
    return str(last).strip() or f"status {run.get('status')}, output {run.get('output')}"


def main() -> None:
    """Run the experiment and write the journal; in a drill, when the conductor gives the word.

    Everything is loaded before: what this process costs must not fall on the instant it injects.
    """
    lifeline.die_with_parent()
    file, journal_path = Path(sys.argv[1]), Path(sys.argv[2])
    logging.getLogger("chaostoolkit").setLevel(logging.WARNING)
    experiment = load(file)
    context.warmed_up(context.attached())
    _await_the_word()
    journal = run_experiment(
        experiment,
        settings={"runtime": {"rollbacks": {"strategy": "always"}}},
        strategy=Strategy.BEFORE_METHOD,
    )
    journal_path.write_text(json.dumps(journaling.kept(journal), default=str, indent=1))


def _await_the_word() -> None:
    folder = context.current().folder
    if folder is not None:
        word = Path(folder) / observe.GO
        wait_until(word.exists, within_s=_WORD_WITHIN_S, what="the conductor gives the word", every_s=0.05)


if __name__ == "__main__":
    main()
