"""Start, inspect and end the local staging from another process: what `up`, `status` and `down` do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

import staging
from staging.local import state_file
from staging.local.aurora import remains
from staging.local.client import LocalStaging
from staging.local.state_file import DATA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from staging.local.options import Options
    from staging.local.state_file import State

_ROOT = Path(staging.__file__).parents[1]
_STOP_WITHIN_S = 30.0
_KILL_WITHIN_S = 5.0


class StartError(RuntimeError):
    """The local staging could not start; the message is one line for a person."""


def up(state_dir: Path, options: Options, on_step: Callable[[str], None]) -> LocalStaging:
    """Start a local staging and return when it is healthy. Raises StartError; then nothing is left of it."""
    running = state_file.read(state_dir)
    if running is not None:
        if running.host.living() is not None:
            raise StartError(f"a local staging is running already, see {state_dir}")
        down(state_dir)  # its host was killed
    host = _spawn(state_dir, options)
    try:
        _follow(host, on_step, state_dir)
    except BaseException:
        _end(host)
        down(state_dir)
        raise
    host.returncode = 0  # it outlives us on purpose: Python need not warn of that
    return LocalStaging.attach(state_dir)


def status(state_dir: Path) -> dict[str, Any]:
    """Return what is known of the staging there; `state` is down, starting, healthy or dead."""
    state = state_file.read(state_dir)
    if state is None:
        return {"state": "down"}
    alive = state.host.living() is not None
    return {
        "state": ("healthy" if state.healthy else "starting") if alive else "dead",
        "pid": state.host.pid,
        "aws_endpoint": state.aws_endpoint,
        "data_dir": state.data_dir,
        "processes": sum(child.living() is not None for child in state.children),
        **({"facts": asdict(state.facts)} if state.facts else {}),
    }


def generation(state_dir: Path) -> str | None:
    """Return which start the staging that runs there came from, None when none runs."""
    state = state_file.read(state_dir)
    if state is None or state.host.living() is None or state.facts is None:
        return None
    return state.facts.generation


def down(state_dir: Path) -> bool:
    """End the staging there and remove what it left, even after a kill -9; tell whether there was one."""
    state = state_file.read(state_dir)
    if state is None:
        return False
    if (host := state.host.living()) is not None:
        _end(host)
    _clean_up(state)
    state_file.remove(state_dir)
    return True


def _spawn(state_dir: Path, options: Options) -> subprocess.Popen[str]:
    state_dir.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "staging.local.host", "--state-dir", str(state_dir.resolve())]
    with (state_dir / "host.log").open("ab") as sink:
        return subprocess.Popen(
            argv + options.argv(),
            cwd=_ROOT,
            # a profile or an endpoint of the user's is none of the double's business
            env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            # a Ctrl-C in the terminal is for the command, which then ends the host in order
            start_new_session=True,
        )


def _follow(host: subprocess.Popen[str], on_step: Callable[[str], None], state_dir: Path) -> None:
    """Pass on the host's steps until it is healthy."""
    if host.stdout is None:
        raise TypeError("the host must have been started with a pipe")
    with host.stdout as lines:
        for line in lines:
            said: dict[str, str] = json.loads(line)
            if "error" in said:
                raise StartError(f"{said['error']} (more in {state_dir / 'host.log'})")
            on_step(said["step"])
            if said["step"] == "healthy":
                return
    raise StartError(f"the local staging ended while starting; {state_dir / 'host.log'} says why")


def _end(host: subprocess.Popen[str] | psutil.Process) -> None:
    """Ask it to stop in order, and kill it if it does not."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        host.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
            host.wait(timeout=_STOP_WITHIN_S)
            return
        host.kill()
        host.wait(timeout=_KILL_WITHIN_S)


def _clean_up(state: State) -> None:
    _kill(child.living() for child in state.children)
    directory = Path(state.data_dir)
    for lock in (directory / "aurora").glob("**/data/postmaster.pid"):
        remains.kill(None, lock.parents[1])  # who kills a PostgreSQL must also remove its shared memory
    # whatever the file says, only what a host makes is removed
    if directory.name.startswith(DATA_PREFIX) and not directory.is_symlink():
        shutil.rmtree(directory, ignore_errors=True)


def _kill(children: Iterable[psutil.Process | None]) -> None:
    living = [child for child in children if child is not None]
    for child in living:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(living, timeout=_KILL_WITHIN_S)
