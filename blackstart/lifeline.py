"""Child processes that cannot outlive us and that no Ctrl-C of ours reaches by accident."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def start(argv: Sequence[str], *, env: Mapping[str, str], log: IO[bytes], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that dies when this one does.

    Call it from the main thread: the kernel sends the death signal when the *thread* that started it ends.
    """
    return subprocess.Popen(
        argv,
        env={**os.environ, **env},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours at once, and wait until it is gone."""
    if process.poll() is None:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
