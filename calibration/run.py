"""Runs one cell: the target, the load against it, the onlookers; and cuts what was seen into drills."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from blackstart.history import EventLog, History
from blackstart.waiting import wait_until
from calibration.control import Target, Truth
from calibration.onlookers import Look, Poller, StockLocust
from calibration.plan import APART_S, CALM_S, STOPS, Cell
from loadgen.process import LoadProcess
from loadgen.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

OPENS_WITHIN_S: Final = 60.0
LEAD_S: Final = 0.5  # between the first arrival seen and the beginning of the schedule


class LoadFailed(Exception):
    """There was no load, so there is nothing to measure with."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One outage as it really was, and the history from which it is to be measured."""

    cell: Cell
    seconds: float
    truth: Truth
    history: History
    until_ns: int
    stalls: list[tuple[int, int]]  # of the target itself
    polled: list[Look]
    stock: list[Look]


def run(cell: Cell, folder: Path) -> list[Seen]:
    """Run the cell in a folder of its own. Raises LoadFailed, TooLate."""
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
        return _cut(cell, folder, truths, target.stalls, poller.looks, stock.looks)


def begin_load(url: str, cell: Cell, folder: Path, stack: ExitStack) -> LoadProcess:
    """Start the load and return when all of its workers send. Raises LoadFailed, TooLate."""
    workers = str(cell.workers)
    several = ("--processes", workers, "--users", workers, "--spawn-rate", workers)
    load = LoadProcess(
        url, cell.rate, cell.seed, cell.name, folder / "history", folder / "load.log",
        extra=("--schedule", cell.schedule, *(several if cell.workers > 1 else ())),
    )  # fmt: skip
    load.start()
    stack.callback(load.stop)
    seen = 0

    def sends(tail: Tail) -> bool:
        nonlocal seen
        _check(load)
        seen += len(tail.poll())
        return seen > 0 and len(tail.headers) == cell.workers

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


def _cut(  # noqa: PLR0917 - what was seen
    cell: Cell,
    folder: Path,
    truths: list[Truth],
    stalls: list[tuple[int, int]],
    polled: list[Look],
    stock: list[Look],
) -> list[Seen]:
    """Tell each outage as a drill of its own: the same requests, with the fault where it really was."""
    breaks_ns = [truth.broken_ns[0] for truth in truths]
    last_ns = truths[-1].mended_ns[1] + int(cell.watch_s * 1e9)
    ends_ns = [at_ns - int((APART_S + CALM_S) * 1e9) for at_ns in breaks_ns[1:]] + [last_ns]
    seen = []
    for nth, (truth, until_ns) in enumerate(zip(truths, ends_ns, strict=True)):
        history = _tell(folder, nth, truth, until_ns)
        seen.append(
            Seen(
                cell=cell, seconds=cell.seconds[nth], truth=truth, history=history, until_ns=until_ns,
                stalls=stalls, polled=polled, stock=stock,
            )
        )  # fmt: skip
    return seen


def _tell(folder: Path, nth: int, truth: Truth, until_ns: int) -> History:
    own = folder / f"outage-{nth}"
    log = EventLog(own)
    for path in (folder / "history").glob("requests-*.jsonl"):
        (own / path.name).symlink_to(path.resolve())
    began_ns, broken_ns = truth.broken_ns
    log.write("phase", at_ns=began_ns - int(CALM_S * 1e9), name="baseline")
    log.write("inject.start", at_ns=began_ns, fault=f"calibration: {truth.kind}", targets=["the target"])
    log.write("inject.end", at_ns=broken_ns, fault=f"calibration: {truth.kind}")
    log.write("heal.start", at_ns=until_ns, fault=f"calibration: {truth.kind}")
    log.close()
    return History(own)
