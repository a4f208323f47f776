"""A local staging that is kept up while drills on it are killed, and the question whether it is as it was."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import described
import mortal
import psutil

import faults
import probes
import runbooks
from blackstart import cli
from blackstart.context import Context
from blackstart.waiting import TooLate, wait_until
from catalogue import DRILLS
from staging.local import lifecycle
from staging.local.client import LocalStaging
from staging.local.options import Options

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from blackstart.ledger import Entry

ROOT = Path(__file__).parents[1]
COMMAND, WATCHDOG = "command", "watchdog"  # who heals
AS_BEFORE_WITHIN_S, ENDS_WITHIN_S, HEALED_WITHIN_S, GONE_WITHIN_S = 240.0, 600.0, 600.0, 20.0
BACKED_UP_WITHIN_S, VAULT = 400.0, "staging"
_BACKUPS_MIN = 2
_ROLES_MAY_CHANGE = ("az-loss", "region-loss")  # the platform may rightly let others lead
_FAULTS_OF = dict.fromkeys(
    ("corrupted-backup", "corrupted-backup-wal", "corrupted-backup-table", "corrupted-backup-key"), 2
)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A staging, and what it was before the first drill on it."""

    home: Path
    staging: LocalStaging
    before: described.Shape
    roles_stay: bool = True

    def before_drill(self, drill: str) -> Ground:
        """Return the same, to be compared with who leads now; not at all where a zone is lost."""
        leads = described.roles(self.staging)
        return replace(self, before=self.before | leads, roles_stay=drill not in _ROLES_MAY_CHANGE)

    @property
    def open(self) -> tuple[Entry, ...]:
        """What the ledger holds open."""
        return Context(home=str(self.home)).ledger.open_entries()

    @property
    def log(self) -> Path:
        """Where everything that is launched says what it has to say."""
        return self.home / "bench.log"

    def launch(self, work: Callable[[], object], environment: Mapping[str, str], *words: str) -> int:
        """Do the work in a process of its own, called with these words; return how it ended.

        It is forked from this one, which has imported everything: that is what half the time would go into.
        """
        child = os.fork()
        if child == 0:
            self._be_child(work, {**environment, "BLACKSTART_HOME": str(self.home)}, words)
        return _ended(child)

    def heal(self) -> int:
        """Run `blackstart heal`; return its exit code."""
        return self.launch(cli.main, {}, "blackstart", "--home", str(self.home), "heal")

    def fresh_steps(self) -> Path:
        """Return a fresh file for steps."""
        path = self.home / "steps"
        path.unlink(missing_ok=True)
        return path

    def make_ready(self, drill: str) -> None:
        """Wait for what the drill needs; most load before a restore is only there to be backed up."""
        if DRILLS[drill].restores:
            wait_until(self._has_backups, within_s=BACKED_UP_WITHIN_S, what="two backups", every_s=1)

    def break_off(self, drill: str) -> None:
        """Break staging as the drill does, and no more: its runner dies when the last fault is in."""
        self.make_ready(drill)
        last = f"after events.jsonl inject.end#{_FAULTS_OF.get(drill, 1)}"
        orders = mortal.Orders(steps=str(self.fresh_steps()), on=last)
        code = self.launch(mortal.main, orders.environment(), *experiment(self.home, drill))
        if code != -signal.SIGKILL:
            raise RuntimeError(f"{drill} was not broken off but ended with {code}: see {self.log}")

    def healed_by(self, healer: str) -> int | None:
        """Heal from a new process and return its exit code; or wait for the watchdog, None if it does not."""
        if healer == COMMAND:
            return self.heal()
        try:
            wait_until(lambda: not self.open, within_s=HEALED_WITHIN_S, what="the watchdog heals")
        except TooLate:
            return None
        return 0

    def wrong(self) -> list[str]:
        """Return what does not become as it was, and what should not be there."""
        wrong = [f"still open: {entry.fault}" for entry in self.open]
        wrong += described.left_after(self.staging, self.before, within_s=AS_BEFORE_WITHIN_S, but=self._but)
        try:
            wait_until(
                lambda: not self._survivors(), within_s=GONE_WITHIN_S, what="nobody of the drill lives"
            )
        except TooLate:
            wrong += self._survivors()
        return wrong

    def broken(self) -> int:
        """Count what is not as it was right now."""
        return len(described.left_after(self.staging, self.before, within_s=0, but=self._but))

    def _be_child(
        self, work: Callable[[], object], environment: Mapping[str, str], words: Sequence[str]
    ) -> None:
        """Do the work as a program that was just started would; does not return."""
        code = 1
        try:
            os.setsid()
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(ROOT)
            os.environ.update(environment)
            sys.argv = list(words)
            work()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:  # noqa: BLE001 - nothing of the child may go on as the parent
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @property
    def _but(self) -> re.Pattern[str] | None:
        return None if self.roles_stay else described.ROLE

    def _has_backups(self) -> bool:
        found = self.staging.aws("backup").list_recovery_points_by_backup_vault(BackupVaultName=VAULT)
        completed = [point for point in found["RecoveryPoints"] if point["Status"] == "COMPLETED"]
        return len(completed) >= _BACKUPS_MIN

    def _survivors(self) -> list[str]:
        """Return the processes of drills that still live."""
        commands = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
        return [
            f"still lives: {said[:200]}"
            for said in commands
            if f"{self.home}/drills/" in said or f"{self.home} runbook " in said
        ]


def experiment(home: Path, drill: str) -> list[str]:
    """Return the words that run a drill's experiment alone, without load or conductor."""
    return ["mortal", "blackstart.experiment", DRILLS[drill].experiment, str(home / "journal.json")]


def _ended(child: int) -> int:
    """Wait for the end of a process; kill it when it takes too long. Returns its exit code, or -signal."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)


def _import_everything() -> None:
    for package in (faults, runbooks, probes):
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


@contextmanager
def ground(home: Path | None, *, tasks: int) -> Iterator[Ground]:
    """Use the staging that runs in this home, or start one and end it; `home` None is a new folder, kept."""
    home = (home or Path(tempfile.mkdtemp(prefix="blackstart-bench-"))).resolve()
    _import_everything()
    ours = lifecycle.status(home / "local")["state"] != "healthy"
    if ours:
        lifecycle.up(home / "local", Options(tasks=tasks), lambda _: None)
    try:
        staging = LocalStaging.attach(home / "local")
        yield Ground(home=home, staging=staging, before=_first_shape(home / "before.json", staging))
    finally:
        if ours:
            lifecycle.down(home / "local")


def _first_shape(path: Path, staging: LocalStaging) -> described.Shape:
    """Return the shape that was kept of this very staging, else keep what it is now."""
    if path.exists():
        earlier = json.loads(path.read_text())
        if earlier["generation"] == staging.facts.generation:
            kept: described.Shape = earlier["shape"]
            return kept
    shape = described.settled(staging, within_s=120)
    path.write_text(json.dumps({"generation": staging.facts.generation, "shape": shape}))
    return shape
