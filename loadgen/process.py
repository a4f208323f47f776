"""Runs the load as a process of its own, so that nothing the conductor does can hold up a request.

Imports neither Locust nor gevent, which would patch everything in the conductor's process.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from blackstart.waiting import TooLate, wait_until

FAILED: Final = "load failed: "  # begins the line in which a load says why it gave up
RATE_PER_USER: Final = 100  # arrivals per second of one Locust user
STOP_GRACE_S: Final = 10.0  # beyond the deadline, by which what is under way has ended
_LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")


@dataclass
class LoadProcess:
    """One load: `start` it, look after it, `stop` it; its history tells the rest."""

    base_url: str
    rate: float
    seed: int
    run_id: str
    history: Path
    log: Path
    duration_s: float | None = None  # from the start of the process, log-in included
    deadline_s: float = 2.0
    extra: tuple[str, ...] = ()  # further arguments of the locustfile, or of Locust
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _family: list[psutil.Process] = field(default_factory=list, init=False)
    _cpu_s: float = field(default=0.0, init=False)
    _stopped: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start it, in a session of its own, so that Ctrl-C reaches the conductor alone."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Let it finish what is under way and close its history; kill it when that takes too long.

        Does nothing to a load that was never started or has been stopped.
        """
        if self._process is None:
            return
        self.cpu_s()
        self._stopped = self._stopped or self.alive
        if self.alive:
            self._process.send_signal(signal.SIGTERM)
        within_s = self.deadline_s + STOP_GRACE_S
        with contextlib.suppress(TooLate):
            wait_until(lambda: not self._running(), within_s=within_s, what="the load's end", every_s=0.02)
        for left in self._running():
            left.kill()
        self._process.wait()

    def failed_because(self) -> str | None:
        """Return why there is no load although there should be, or why it ended badly; else None."""
        if self._process is None:
            return None
        lines = self.log.read_text(errors="replace").splitlines()
        for line in lines:
            if FAILED in line:
                return line.partition(FAILED)[2]
        code = self._process.poll()
        if code is None or (code == 0 and (self._stopped or self.duration_s is not None)):
            return None
        ended = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return f"the load ended with {ended}: {lines[-1] if lines else 'it said nothing'}"

    def cpu_s(self) -> float:
        """Return the seconds of CPU it has used, as far as could be seen while it ran."""
        self._cpu_s = max(self._cpu_s, sum(_cpu_s(process) for process in self._running()))
        return self._cpu_s

    def _running(self) -> list[psutil.Process]:
        """Return its process and, of `--processes`, its children, as far as they run."""
        if self._process and self.alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                leader = psutil.Process(self._process.pid)
                self._family = [leader, *leader.children(recursive=True)]
        return [process for process in self._family if _runs(process)]

    def _command(self) -> list[str]:
        users = str(math.ceil(self.rate / RATE_PER_USER))
        command = [
            sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary",
            "--host", self.base_url, "--users", users, "--spawn-rate", users,
            "--rate", str(self.rate), "--seed", str(self.seed), "--run-id", self.run_id,
            "--history", str(self.history), "--deadline", str(self.deadline_s),
            "--parent", str(os.getpid()), "--exit-code-on-error", "0",  # the harness judges, not Locust
        ]  # fmt: skip
        duration = [] if self.duration_s is None else ["--run-time", f"{math.ceil(self.duration_s)}s"]
        return [*command, *duration, *self.extra]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _environment() -> dict[str, str]:
    """Return ours without Locust's settings, which would override the load's own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
