"""Runs one cell: the target, the load against it, the onlookers; and keeps what was seen in a folder."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

import psutil

from blackstart.waiting import wait_until
from calibration import seen
from calibration.control import Target
from calibration.onlookers import Poller, StockLocust
from calibration.plan import STOPS
from loadgen.process import LoadProcess
from loadgen.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

    from calibration.plan import Cell

OPENS_WITHIN_S: Final = 60.0
LEAD_S: Final = 0.5  # between the first arrival seen and the beginning of the schedule


class LoadFailed(Exception):
    """There was no load, so there is nothing to measure with."""


def run(cell: Cell, folder: Path) -> None:
    """Run the cell and leave what was seen in a folder of its own. Raises LoadFailed, TooLate."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        target = stack.enter_context(Target())
        poller, stock = Poller(target.port), StockLocust(target.url, folder)
        if cell.onlookers:
            stack.enter_context(poller)
            stack.enter_context(stock)
        load = begin_load(target.url, cell, folder, stack)
        if cell.onlookers:
            wait_until(lambda: stock.looks, within_s=OPENS_WITHIN_S, what="stock Locust's first requests")
        from_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
        starts_ns = [from_ns + int(at_s * 1e9) for at_s in cell.starts_s()]
        for nth, (at_ns, seconds) in enumerate(zip(starts_ns, cell.seconds, strict=True)):
            target.outage(cell.kind, at_ns, seconds, cell.seed + nth)
        ends_ns = [at + int(s * 1e9) for at, s in zip(starts_ns, cell.seconds, strict=True)]
        _let_pass(cell, load, ends_ns, folder)
        truths = target.truths(len(starts_ns))
        load.stop()
        seen.keep(folder, cell, truths, target.stalls, poller.looks)


def begin_load(url: str, cell: Cell, folder: Path, stack: ExitStack) -> LoadProcess:
    """Start the load and return when all of its workers send. Raises LoadFailed, TooLate."""
    workers, sending = str(cell.workers), 0
    several = ("--processes", workers, "--users", workers, "--spawn-rate", workers)
    load = LoadProcess(
        url, cell.rate, cell.seed, cell.name, folder / "history", folder / "load.log",
        extra=("--schedule", cell.schedule, *(several if cell.workers > 1 else ())),
    )  # fmt: skip
    load.start()
    stack.callback(load.stop)

    def sends(tail: Tail) -> bool:
        nonlocal sending
        _check(load)
        sending += len(tail.poll())
        return sending > 0 and len(tail.headers) == cell.workers

    with closing(Tail(folder / "history")) as tail:
        wait_until(lambda: sends(tail), within_s=OPENS_WITHIN_S, what="the load's first requests")
    return load


def _let_pass(cell: Cell, load: LoadProcess, ends_ns: list[int], folder: Path) -> None:
    """Wait until the last outage has been watched, and stand in the generator's way if that is the plan."""
    stops = [end_ns - int(STOPS / 2 * 1e9) for end_ns in ends_ns] if cell.generator_stops else []
    for stop_ns in stops:
        _sleep_until(stop_ns, load)
        _stand_still(folder / "history", stop_ns + int(STOPS * 1e9))
    _sleep_until(ends_ns[-1] + int(cell.watch_s * 1e9), load)


def _sleep_until(at_ns: int, load: LoadProcess) -> None:
    within_s = max(0.0, (at_ns - time.monotonic_ns()) / 1e9) + 5

    def passed() -> bool:
        _check(load)
        return time.monotonic_ns() >= at_ns

    wait_until(passed, within_s=within_s, what="the calibration's own schedule", every_s=0.02)


def _stand_still(history: Path, until_ns: int) -> None:
    """Stop the processes of the load until that instant, as a starved machine does."""
    ours = [child for child in psutil.Process().children(recursive=True) if str(history) in child.cmdline()]
    for process in ours:
        process.suspend()
    time.sleep(max(0.0, (until_ns - time.monotonic_ns()) / 1e9))
    for process in ours:
        process.resume()


def _check(load: LoadProcess) -> None:
    why = load.failed_because()
    if why:
        raise LoadFailed(why)
