"""A long-lived thread that starts processes, which die when it does.

Linux keeps two things per thread that we need: the network namespace that children inherit, and the
"parent" whose death the kernel tells them. So each subnet has one thread of its own, as old as the host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from staging.local.binaries import run_as

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from subprocess import Popen

P = ParamSpec("P")
T = TypeVar("T")

_LAUNCH = Path(__file__).with_name("launch.py")
_SAME_USER = (-1, -1)


class Spawner:
    """Starts processes from one thread; closing it kills those that still run."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    def run(self, deed: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something in the thread, and wait for it."""
        return self._thread.submit(deed, *args, **kwargs).result()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None,
        pass_fds: Sequence[int] = (),
        unprivileged: bool = False,
        gentle: bool = False,
    ) -> Popen[bytes]:
        """Start a process as `Network.spawn` describes it; without a log it speaks into the host's own."""
        user = (run_as() if unprivileged else None) or _SAME_USER
        pace = "gentle" if gentle else "plain"
        launch = [sys.executable, "-I", "-S", str(_LAUNCH), *map(str, (*user, os.getpid())), pace, *argv]
        world = _minimal_environment(log) | dict(env or {})
        return self.run(_start, launch, world, cwd, log, tuple(pass_fds), own_session=gentle)

    def close(self) -> None:
        """End the thread, and with it every process that it started."""
        self._thread.shutdown()


def _minimal_environment(log: Path | None) -> dict[str, str]:
    # children find the same programs and packages as the host, and know no more of its world
    shared = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(log.parent if log else Path("/")), **shared}


def _start(
    argv: list[str],
    env: dict[str, str],
    cwd: Path | None,
    log: Path | None,
    pass_fds: tuple[int, ...],
    *,
    own_session: bool,
) -> Popen[bytes]:
    with log.open("ab") if log else os.fdopen(os.dup(2), "ab") as sink:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            # Linux shares the CPU between sessions first (sched_autogroup): the load is one against all of
            # these together, unless one of them has to be last in line
            start_new_session=own_session,
            process_group=None if own_session else 0,
        )
