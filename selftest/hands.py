"""Lays hands on the processes of a load that runs, from outside, once the fault has come."""

from __future__ import annotations

import resource
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from blackstart.waiting import TooLate, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULT_WITHIN_S: Final = 300.0
STARVED_S: Final = 60.0
AWAY_S, BACK_S = 3.0, 0.2  # a starved generator runs for a fifteenth of the time
STEP_S: Final = 3600.0


class NoLoad(Exception):
    """There is no process of a load to lay hands on."""


def wait_and_act(home: Path, act: Callable[[Path], None], acted: Callable[[], None]) -> None:
    """Have it done, in a thread, when the history of the drill in this home says that the fault has come.

    `acted` is called once it has been done; who finds no load raises NoLoad, and has done nothing.
    """

    def watch() -> None:
        with suppress(TooLate):  # no fault came: the drill says so itself
            wait_until(
                lambda: _begun(home) is not None, within_s=FAULT_WITHIN_S, what="the fault", every_s=0.05
            )
            history = _begun(home)
            if history is not None:
                act(history)
                acted()

    threading.Thread(target=watch, daemon=True).start()


def stop_the_load(_: Path) -> None:
    """Let it stand still, and say nothing, until it is killed."""
    _signal(signal.SIGSTOP)


def kill_the_load(_: Path) -> None:
    """Kill it amid its requests."""
    _signal(signal.SIGKILL)


def fill_the_disk(history: Path) -> None:
    """Let no request be written any more: the file has reached its greatest size."""
    limit = max(path.stat().st_size for path in history.glob("requests-*.jsonl"))
    for process in _found():
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))


def starve_the_load(_: Path) -> None:
    """Give it next to no CPU for a minute, as a machine does that is much too small."""
    _signal(signal.SIGSTOP)

    def starve() -> None:
        until_s = time.monotonic() + STARVED_S
        with suppress(NoLoad):  # the drill has ended it
            while time.monotonic() < until_s:
                time.sleep(AWAY_S)
                _signal(signal.SIGCONT)
                time.sleep(BACK_S)
                _signal(signal.SIGSTOP)
            _signal(signal.SIGCONT)

    threading.Thread(target=starve, daemon=True).start()


def step_the_clock(_: Path) -> None:
    """Set the wall clock of this process forward by an hour, as a wrong time server would."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + STEP_S
    time.time_ns = lambda: now_ns() + int(STEP_S * 1e9)


def _begun(home: Path) -> Path | None:
    """Return the history that tells of an injection, None while none does."""
    for events in home.glob("drills/*/history/events.jsonl"):
        if b'"inject.end"' in events.read_bytes():
            return events.parent
    return None


def _found() -> list[psutil.Process]:
    """Return the processes of the load. Raises NoLoad."""
    load = _load()
    if not load:
        raise NoLoad
    return load


def _load() -> list[psutil.Process]:
    """Return the processes of the load: they are ours, however deep."""
    return [process for process in psutil.Process().children(recursive=True) if _is_load(process)]


def _is_load(process: psutil.Process) -> bool:
    try:
        return "locust" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(number: int) -> None:
    for process in _found():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
