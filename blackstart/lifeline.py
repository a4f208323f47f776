"""A child process that cannot outlive us, and that no Ctrl-C of ours reaches by accident."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PARENT = "BLACKSTART_PARENT"


def start(
    argv: Sequence[str], *, env: Mapping[str, str], log: IO[bytes], cwd: Path, keeps: Collection[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which calls `die_with_parent` first of all.

    It keeps the file descriptors in `keeps`, and the locks on them, for as long as it lives. Call it from the
    main thread: the kernel sends the death signal when the *thread* that started it ends.
    """
    return subprocess.Popen(
        argv,
        env={**os.environ, **env, _PARENT: str(os.getpid())},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=tuple(keeps),
    )


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the one that started it is gone; leave if it is already.

    The child asks for it itself, because a `preexec_fn` is not safe in a process with threads.
    """
    parent = os.environ.get(_PARENT)
    if parent is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours at once, and wait until it is gone."""
    if process.poll() is None:
        process.kill()
        process.wait()
