"""What a PostgreSQL server leaves when it is killed: orphaned backends, a lock file, shared memory."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from staging.local.aurora.state import AuroraError

if TYPE_CHECKING:
    from subprocess import Popen

IPC_RMID = 0
LOCK_FILE_LINES_WITH_SEGMENT = 7


def kill(process: Popen[bytes] | None, directory: Path, *, within_s: float = 10.0) -> None:
    """Kill a server whole, and return only when none of its processes is left.

    The postmaster first, so that nobody forks any more. Its children lead sessions of their own, out
    of reach of a process group; but all of them work in the server's directory, and nobody else does.
    """
    deadline = time.monotonic() + within_s
    if process is not None:
        process.kill()
        _wait(process, deadline)
    while inhabitants := _inhabitants(directory):
        if time.monotonic() > deadline:
            raise AuroraError(f"processes of {directory} outlive SIGKILL: {[p.pid for p in inhabitants]}")
        for inhabitant in inhabitants:
            _kill(inhabitant)
        time.sleep(0.002)
    _forget(directory / "data")


def _wait(process: Popen[bytes], deadline: float) -> None:
    # Popen.wait sleeps up to 50 ms between looks: too long while nobody can write.
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise AuroraError(f"process {process.pid} outlives SIGKILL")
        time.sleep(0.001)


def _inhabitants(directory: Path) -> list[psutil.Process]:
    where = directory.resolve()
    return [process for process in psutil.process_iter() if _lives_in(process, where)]


def _lives_in(process: psutil.Process, where: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(where) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False  # gone, or another user's


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _forget(data: Path) -> None:
    """Remove the lock file, lest its process id be taken for a living server's, and the segment it names."""
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    lines = lock.read_text().splitlines()
    if len(lines) >= LOCK_FILE_LINES_WITH_SEGMENT and (words := lines[6].split()):
        ctypes.CDLL(None).shmctl(int(words[-1]), IPC_RMID, None)
    lock.unlink()
