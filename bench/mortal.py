"""Run blackstart, or an experiment alone, so that it dies at its n-th step as by `kill -9`.

    python bench/mortal.py blackstart.cli --home DIR drill az-loss --rate 40
    python bench/mortal.py blackstart.experiment experiments/az-loss.yaml journal.json

A step is an instant at which what is left behind may differ from that at the step before: an event that has
been written; a line of the ledger before it is written, half written, and on the disk; a read (one that is
repeated before anything else has happened counts once, and those of the watch in its thread not at all); a
change before it is sent, sent but not answered, and answered. They are counted over all processes of one
runner: the command line and the experiment it starts.

The environment says when (`Orders`). All hooks are here: the product knows nothing of being killed.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.client
import psutil

import catalogue
from blackstart import chain, choke, cli, drills, experiment, lifeline, parts
from staging.local import powers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_VARIABLE = "BENCH_MORTAL"
_EXPERIMENT = "blackstart.experiment"
PROGRAMS: dict[str, Callable[[], object]] = {"blackstart.cli": cli.main, _EXPERIMENT: experiment.main}
_HOLD_REQUESTS = 30  # instead of 3,000: at 40/s, service has held after 3 s instead of 75
_WARM_UP_S, _BASELINE_S = 1.0, 2.0


@dataclass(frozen=True, kw_only=True)
class Orders:
    """When to die. `steps` is the file in which each step is noted, a line each: program, tab, name."""

    steps: str
    at: int | None = None  # the number of the step, from 1
    on: str = ""  # or at the step of this name, "NAME" or, for its third time, "NAME#3"
    runner: int = 0  # process id of the command line, which is killed with whoever takes the step
    with_watchdog: bool = False  # kill it too

    def environment(self) -> dict[str, str]:
        """Return what the launched process must find in its environment."""
        return {_VARIABLE: json.dumps(asdict(self))}


def given() -> Orders:
    """Return the orders of this process."""
    orders = Orders(**json.loads(os.environ[_VARIABLE]))
    return orders if orders.runner else replace(orders, runner=os.getpid())


class Steps:
    """Counts the steps of this process with those of the others, and dies at the right one."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._turn = threading.Lock()
        self._reads: set[str] = set()
        self._on, _, times = orders.on.partition("#")
        self._times = int(times or 1)
        self._file = os.open(orders.steps, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)

    def read(self, name: str) -> None:
        """Take the step of reading, unless this was read since anything else happened."""
        if name not in self._reads and threading.current_thread() is threading.main_thread():
            self.take(f"read {name}")
            self._reads.add(name)

    def take(self, name: str) -> None:
        """Take a step; does not return from the last."""
        with self._turn:
            self._reads.clear()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            earlier = os.pread(self._file, os.fstat(self._file).st_size, 0).decode().splitlines()
            number, process = len(earlier) + 1, sys.argv[0]
            os.write(self._file, f"{process}\t{name}\n".encode())
            times = sum(line.endswith(f"\t{name}") for line in earlier) + 1
            if number == self._orders.at or (name, times) == (self._on, self._times):
                self._die()
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _die(self) -> None:
        if self._orders.with_watchdog:
            kill_watchdogs_of(self._orders.runner)
        for pid in (self._orders.runner, os.getpid()):
            os.kill(pid, signal.SIGKILL)
        signal.pause()


def hook_in(steps: Steps) -> None:
    """Make every step of this process known to `steps`."""
    now = _Now()
    chain.os = SimpleNamespace(**{**vars(os), "write": _stepping_write(steps)})  # type: ignore[assignment,attr-defined]
    botocore.client.BaseClient._make_api_call = _stepping_call(  # noqa: SLF001 - the one place all calls pass
        steps, now, botocore.client.BaseClient._make_api_call  # noqa: SLF001 - as above
    )  # fmt: skip
    powers.Door.call = _stepping_power(steps, now, powers.Door.call)  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = _stepping_answer(  # type: ignore[method-assign]
        steps, now, http.client.HTTPConnection.getresponse
    )


def shorten() -> None:
    """Make waits short that only give weight to a verdict: nobody judges a drill that is killed."""
    drills.HOLD_REQUESTS = _HOLD_REQUESTS
    short = {name: replace(spec, baseline_s=0.0, alarms=()) for name, spec in catalogue.DRILLS.items()}
    catalogue.DRILLS.update(short)
    short_traffic = partial(parts.Traffic, warm_up_s=_WARM_UP_S, baseline_s=_BASELINE_S)
    cli.Traffic = short_traffic  # type: ignore[assignment,attr-defined]


def launch_experiments_alike(orders: Orders) -> None:
    """Have the command line start its experiment through this launcher, too."""
    start = lifeline.start

    def started(argv: Any, *, env: Any, **more: Any) -> Any:
        if _EXPERIMENT in argv:
            argv = [sys.executable, __file__, *argv[argv.index(_EXPERIMENT) :]]
            env = {**env, **orders.environment()}
        return start(argv, env=env, **more)

    lifeline.start = started


class _Now(threading.local):
    """What this thread is sending."""

    change: str | None = None

    @contextmanager
    def sending(self, change: str) -> Iterator[None]:
        self.change = change
        try:
            yield
        finally:
            self.change = None


def _stepping_write(steps: Steps) -> Callable[[int, memoryview], int]:
    """Of a chained file: the ledger's lines are also torn, which only a killed machine or process does."""

    def write(file: int, line: memoryview) -> int:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        body = json.loads(bytes(line))
        what = f"{name} {body.get('do') or body.get('kind') or body.get('what')}"
        if body.get("kind") == "phase":
            what += f" {body['name']}"
        if name == "ledger.jsonl":
            steps.take(f"before {what}")
            half = os.write(file, line[: len(line) // 2])
            steps.take(f"half of {what}")
            written = half + os.write(file, line[half:])
        else:
            written = os.write(file, line)
        steps.take(f"after {what}")
        return written

    return write


def _stepping_call(steps: Steps, now: _Now, make: Callable[..., Any]) -> Callable[..., Any]:
    def call(client: Any, operation: str, parameters: Any) -> Any:
        name = f"{client.meta.service_model.service_name}:{operation}"
        if choke.is_read(operation):
            steps.read(f"{name} {json.dumps(parameters, sort_keys=True, default=str)}")
            return make(client, operation, parameters)
        steps.take(f"before {name}")
        with now.sending(name):
            answer = make(client, operation, parameters)
        steps.take(f"answered {name}")
        return answer

    return call


def _stepping_power(steps: Steps, now: _Now, make: Callable[..., Any]) -> Callable[..., Any]:
    def call(door: Any, name: str, **parameters: object) -> Any:
        if name.startswith("Describe"):
            steps.read(f"local:{name}")
            return make(door, name, **parameters)
        steps.take(f"before local:{name}")
        with now.sending(f"local:{name}"):
            answer = make(door, name, **parameters)
        steps.take(f"answered local:{name}")
        return answer

    return call


def _stepping_answer(steps: Steps, now: _Now, get: Callable[..., Any]) -> Callable[..., Any]:
    def getresponse(connection: Any, *arguments: Any, **more: Any) -> Any:
        if now.change is not None:
            steps.take(f"sent {now.change}")
        return get(connection, *arguments, **more)

    return getresponse


def kill_watchdogs_of(runner: int) -> None:
    """Kill the watchdog of this runner, if it has one."""
    wanted = ["blackstart.watchdog", str(runner)]
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[-2:] == wanted:
            process.kill()


def main() -> None:
    """Run the program that the first word names."""
    orders, program = given(), PROGRAMS[sys.argv[1]]
    hook_in(Steps(orders))
    shorten()
    launch_experiments_alike(orders)
    sys.argv = sys.argv[1:]
    program()


if __name__ == "__main__":
    main()
