"""Kill restores with SIGKILL in each of their steps, clean up or go on, and look whether anything is left.

    .venv/bin/python bench/restore_kills.py --times 20 restore-from-backup rewind-to-a-point-in-time
    .venv/bin/python bench/restore_kills.py --times 10 backup-restore point-in-time

Names are of runbooks or of drills. Uses the local staging that runs in --home, or starts one and ends it.
Each is killed, with its watchdog, a little after an event of its history, one event after the other, the time
drawn from --seed.
Every other time `blackstart heal` cleans up; others go on with `blackstart runbook NAME --resume`, and heal
what a drill has broken besides. Good is: exit code 0, nothing open in the ledger, databases and snapshots as
before, all of staging too (see `described`), no job that runs, no server or directory that belongs to nobody.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mortal
import psutil
from ground import Ground, ground

from blackstart.context import Context
from blackstart.history import History
from blackstart.runbook_run import open_run
from blackstart.waiting import TooLate, wait_until
from catalogue import DRILLS
from probes import steady
from staging.local import state_file

BLACKSTART = str(Path(sys.executable).with_name("blackstart"))
ENDS_WITHIN_S = 600.0
POINTS_MIN = 2  # recovery points, so that a drill has something to choose from
GONE_WITHIN_S = 60.0
# which event, the how manieth of its kind, and what is under way a moment later
STEPS = (
    "restore",
    "create instances",
    "verify",
    "write down",
    "move away",
    "instances' names",
    "name",
    "use",
)
RUNBOOK = [
    ("runbook.start", 1, "choose"),
    *(("runbook.step", n, what) for n, what in enumerate(STEPS, start=1)),
]
MOMENTS = {
    **dict.fromkeys(("restore-from-backup", "rewind-to-a-point-in-time"), RUNBOOK),
    "backup-restore": [("inject.start", 1, "base backup, and destroy"), *RUNBOOK],
    "point-in-time": [("secure.start", 1, "base backup"), ("inject.start", 1, "the bug"), *RUNBOOK],
}
LATER_S_MAX = 3.0


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What is killed, when, and what comes after."""

    name: str
    moment: tuple[str, int, str]
    later_s: float
    go_on: bool


def main() -> None:
    """Kill them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="+", choices=list(MOMENTS))
    parser.add_argument("--times", type=int, default=9)
    parser.add_argument("--rate", default="100")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the staging ends with us
    with ground(chosen.home, tasks=2) as here:
        bench = Bench(here, chosen.rate)
        found = [bench.one(kill) for kill in drawn(chosen.names, chosen.times, chosen.seed)]
    print(json.dumps({
        "seed": chosen.seed, "kills": len(found), "amid a run": sum(one["amid"] for one in found),
        "by": dict(Counter(one["how"] for one in found)),
        "as they should": sum(not one["wrong"] for one in found),
    }))  # fmt: skip


def drawn(names: list[str], times: int, seed: int) -> list[Kill]:
    """Return that many kills: name after name, for each one moment after the other."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    turns = [(names[n % len(names)], n // len(names)) for n in range(times)]
    return [
        Kill(
            name=name, moment=MOMENTS[name][turn % len(MOMENTS[name])],
            later_s=chance.uniform(0, LATER_S_MAX), go_on=bool((turn + turn // len(MOMENTS[name])) % 2),
        )
        for name, turn in turns
    ]  # fmt: skip


class Bench:
    """One staging, and what is done to it."""

    def __init__(self, ground: Ground, rate: str) -> None:
        self.ground = ground
        self.home = ground.home
        self.rate = rate
        self.context = Context(home=str(ground.home))

    def one(self, kill: Kill) -> dict[str, Any]:
        """Start it, kill it in its moment, clean up or go on, and look what is left."""
        self.ground = self.ground.before_drill(kill.name)
        staging = self.context.attach()
        wait_until(self._has_points, within_s=ENDS_WITHIN_S, what="there are recovery points", every_s=0.5)
        before = steady.databases(staging)
        amid = self._killed(kill)
        began = time.monotonic()
        how, codes = self._afterwards(kill, amid=amid)
        wrong = [f"exit codes {codes}"] if any(codes) else []
        wrong += self._differences(before)
        print(
            f"{kill.name:26} in “{kill.moment[2]}”, {kill.later_s:.1f} s later: {how}"
            f" in {time.monotonic() - began:.0f} s, {'; '.join(wrong) or 'as it should'}",
            flush=True,
        )
        return {"amid": amid, "how": how, "wrong": wrong}

    def _killed(self, kill: Kill) -> bool:
        """Run it up to its moment, then kill it; tell whether it was still running."""
        folders = set((self.home / "drills").glob("*"))
        seen = len(History(self.context.history).events) if self.context.history.exists() else 0
        with (self.home / "killed.log").open("ab") as log:
            running = subprocess.Popen(self._argv(kill.name), stdout=log, stderr=log)

        def came() -> bool:
            new = set((self.home / "drills").glob("*")) - folders
            events = (
                History(new.pop() / "history").events if new else History(self.context.history).events[seen:]
            )
            kind, times, _ = kill.moment
            return running.poll() is not None or sum(event.kind == kind for event in events) >= times

        wait_until(came, within_s=ENDS_WITHIN_S, what=f"{kill.moment} in {kill.name}", every_s=0.05)
        try:
            running.wait(kill.later_s)
        except subprocess.TimeoutExpired:
            mortal.kill_watchdogs_of(running.pid)  # it would heal before anybody can go on
            running.kill()
            running.wait()
            return True
        return False

    def _argv(self, name: str) -> list[str]:
        if name in DRILLS:
            return [BLACKSTART, "--home", str(self.home), "drill", name, "--rate", self.rate, "--seed", "1"]
        options = ["--set", "at=latest"] if name == "rewind-to-a-point-in-time" else []
        return [BLACKSTART, "--home", str(self.home), "runbook", name, "--set", "old=delete", *options]

    def _afterwards(self, kill: Kill, *, amid: bool) -> tuple[str, list[int]]:
        """Clean up, or go on; return what was done, and the exit codes."""
        run = open_run(self.context)
        if not amid or run is None or not kill.go_on:
            return "heal", [self._blackstart("heal")]
        name = run.fault.partition(":")[0].removeprefix("runbooks.").replace("_", "-")
        return "resume", [self._blackstart("runbook", name, "--resume"), self._blackstart("heal")]

    def _blackstart(self, *words: str) -> int:
        with (self.home / "afterwards.log").open("ab") as log:
            argv = [BLACKSTART, "--home", str(self.home), *words]
            return subprocess.run(argv, check=False, stdout=log, stderr=log, timeout=ENDS_WITHIN_S).returncode

    def _has_points(self) -> bool:
        backup = self.context.attach().aws("backup")
        listed = backup.list_recovery_points_by_backup_vault(
            BackupVaultName="staging", ByResourceType="Aurora"
        )
        return len(listed["RecoveryPoints"]) >= POINTS_MIN

    def _differences(self, before: set[str]) -> list[str]:
        """Return what is not as it should be, after a while in which the last files may go."""
        try:
            wait_until(
                lambda: not self._wrong(before), within_s=GONE_WITHIN_S, what="all is well", every_s=0.5
            )
        except TooLate:
            return [*self._wrong(before), *self.ground.wrong()]
        return self.ground.wrong()

    def _wrong(self, before: set[str]) -> list[str]:
        staging = self.context.attach()
        now = steady.databases(staging)
        jobs = staging.aws("backup").list_restore_jobs()["RestoreJobs"]
        running = (job["RestoreJobId"] for job in jobs if job["Status"] == "RUNNING")
        return [
            *(f"left: {name}" for name in sorted(now - before)),
            *(f"missing: {name}" for name in sorted(before - now)),
            *(f"restore job {job} runs" for job in running),
            *self._orphans(staging),
        ]

    def _orphans(self, staging: Any) -> list[str]:
        """Return servers and directories that no cluster or instance has."""
        state = state_file.read(self.home / "local")
        assert state
        clusters = staging.aws("rds").describe_db_clusters()["DBClusters"]
        instances = sum(len(cluster["DBClusterMembers"]) for cluster in clusters)
        family = [psutil.Process(state.host.pid), *psutil.Process(state.host.pid).children(recursive=True)]
        servers = [one for one in family if one.name() == "postgres" and "-D" in words(one)]
        there = {path.name for path in (Path(state.data_dir) / "aurora").glob("cluster-*")}
        known = {cluster["DbClusterResourceId"] for cluster in clusters}
        return [
            *([f"{len(servers)} servers for {instances} instances"] if len(servers) != instances else []),
            *(f"directory {name} of no cluster" for name in sorted(there - known)),
        ]


def words(process: psutil.Process) -> str:
    """Return a process's command line, "" when it has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


if __name__ == "__main__":
    main()
