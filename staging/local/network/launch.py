"""Become a program that dies with its parent, as another user if asked.

Usage: `launch.py UID GID PARENT gentle|plain PROGRAM ...`, with -1 for the user that we are already.

Runs alone (`python -I -S`), between the host and each of its children. A `preexec_fn` would do the same
inside the forked copy of a process with many threads, where Python promises no safety.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _drop_to(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked to tell us
        raise SystemExit(1)


def _step_back() -> None:
    """Let everything else go first: our session is last in line for the CPU, until somebody hastens it."""
    try:
        with open("/proc/self/autogroup", "w") as group:  # noqa: PTH123 - pathlib takes longer to load
            group.write("19")
    except OSError:
        return  # a kernel that does not group by sessions: it starts like any other


def main(uid: int, gid: int, parent: int, pace: str, argv: list[str]) -> None:
    """Never returns: the program takes this process over."""
    if uid >= 0:
        _drop_to(uid, gid)
    if sys.platform == "linux":
        _die_with(parent)  # after the change of user, which would clear it
    if pace == "gentle":
        _step_back()
    os.execvp(argv[0], argv)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5:])
