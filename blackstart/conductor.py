"""One drill: on this staging, under this load, break that, watch, put it back, and judge what was seen."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from blackstart import activities, guards, lifeline, observe
from blackstart.context import Context
from blackstart.drills import DrillSpec, judge_drill
from blackstart.exit_code import ExitCode
from blackstart.experiment import InvalidExperiment, Journal, load, read_journal
from blackstart.history import EventLog, History
from blackstart.pulse import Pulse, Recent
from blackstart.staging import Staging
from blackstart.verdict import Judgement, Verdict, worst
from blackstart.watch import Watch

_TICK_S = 0.1
_FIRST_REQUEST_WITHIN_S = 60.0
_WHOLE_WITHIN_S = 180.0
_CHILD_ENDS_WITHIN_S = 600.0


class Load(Protocol):
    """The traffic of a drill, in a process of its own."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """End the arrivals, wait for what is under way; idempotent."""

    def failed_because(self) -> str | None:
        """Say why there is no load although there should be, None while all is well."""


class Tail(Protocol):
    """Follows the request files while they are written."""

    def poll(self) -> list[list[Any]]:
        """Return the rows that are new since the last call."""


class View(Protocol):
    """Shows a running drill to people."""

    def phase(self, name: str) -> None:
        """A new phase begins."""

    def show(self, pulse: Pulse, clock_s: float | None, *, recovered: bool) -> None:
        """Show the load's pulse and the recovery clock (None before the injection)."""

    def say(self, text: str) -> None:
        """Tell people something that happened."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How much load, and how long it runs before anything is broken."""

    rate: float
    seed: int
    warm_up_s: float = 4.0
    baseline_s: float = 6.0


@dataclass(frozen=True, kw_only=True)
class Drill:
    """Everything that one drill needs, wired together."""

    spec: DrillSpec
    root: Path  # where the experiment's path starts
    context: Context
    staging: Staging
    traffic: Traffic
    load: Load
    tail: Tail
    view: View
    watch: Watch
    unwhole: Callable[[], list[str]]  # what keeps staging from being whole; empty when it is
    read_back: Callable[[], None]  # final reads into the history

    @property
    def folder(self) -> Path:
        """The drill's own folder."""
        if self.context.folder is None:
            raise ValueError("a drill has a folder")
        return Path(self.context.folder)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a drill ended."""

    verdict: Verdict
    exit_code: ExitCode
    judgements: tuple[Judgement, ...]
    reasons: tuple[str, ...] = ()  # why it is not PASSED, beside the judgements


class Stopped(Exception):
    """Somebody or something stopped the drill: heal now."""


class NotProven(Exception):
    """The drill cannot go on in a way that would prove anything: heal now, UNKNOWN."""


@dataclass
class _Run:
    """What is known of the drill that is running."""

    events: EventLog
    recent: Recent
    stop_reason: str | None = None
    injected_ns: int | None = None
    held: bool = False
    reasons: list[str] = field(default_factory=list)


def run(drill: Drill) -> Ending:
    """Run one drill. Raises Refused and InvalidExperiment before anything is changed."""
    load(drill.root / drill.spec.experiment)
    guards.check_staging(drill.staging)
    guards.check_nothing_open(drill.context.ledger)
    hold_s = drill.spec.hold_at(drill.traffic.rate)
    one = _Run(events=drill.context.events(), recent=Recent(drill.traffic.rate, hold_s))
    with _stop_on_signals(one):
        try:
            return _run(drill, one)
        finally:
            drill.load.stop()
            drill.watch.stop()
            one.events.close()


def _run(drill: Drill, one: _Run) -> Ending:
    stopped = False
    try:
        _baseline(drill, one)
        _experiment(drill, one)
    except Stopped as stop:
        stopped = True
        one.reasons.append(str(stop))
        one.events.write("stopped", reason=str(stop))
        drill.view.say(f"stopped: {stop}; healing")
    except NotProven as why:
        one.reasons.append(str(why))
    healed = _heal(drill, one)
    if healed and not stopped and one.injected_ns is not None:
        _aftermath(drill, one)
    drill.watch.stop()
    _phase(drill, one, "final reads")
    drill.load.stop()
    one.events.write("load.stop")
    if one.injected_ns is not None and not stopped:
        _final_reads(drill, one)
    return _ending(drill, one, healed=healed, stopped=stopped)


def _baseline(drill: Drill, one: _Run) -> None:
    """Bring the load on and see that all is well before anything is broken."""
    _phase(drill, one, "warm-up")
    not_whole = drill.unwhole()
    if not_whole:
        raise NotProven(f"staging is not whole before the drill: {'; '.join(not_whole)}")
    drill.watch.start(one.events)
    one.events.write("load.start", rate=drill.traffic.rate, seed=drill.traffic.seed)
    drill.load.start()
    _await(drill, one, lambda: bool(one.recent.pulse().rate), _FIRST_REQUEST_WITHIN_S, "the load arrives")
    _pass_time(drill, one, drill.traffic.warm_up_s)
    _phase(drill, one, "baseline")
    _pass_time(drill, one, drill.traffic.baseline_s)
    pulse = one.recent.pulse()
    if pulse.success < 1 or pulse.rate < 0.9 * drill.traffic.rate:  # noqa: PLR2004 - a tenth may still be under way
        raise NotProven(
            f"the baseline does not hold: {pulse.rate:.0f} of {drill.traffic.rate:.0f} requests/s, "
            f"{pulse.success:.2%} of them well"
        )


def _experiment(drill: Drill, one: _Run) -> None:
    """Inject through Chaos Toolkit, in a process of its own, and watch until service has held."""
    _phase(drill, one, "inject")
    experiment = drill.root / drill.spec.experiment
    child = _start_child(drill, experiment)
    try:
        _observe(drill, one, child)
        _phase(drill, one, "heal")
        _until_ended(drill, one, child)
    finally:
        # whatever is still running must not break anything more while the ledger is healed
        lifeline.kill(child)
    journal = read_journal(drill.folder / "journal.json")
    one.reasons.extend(_doubts(journal))


def _observe(drill: Drill, one: _Run, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + drill.spec.limit_s
    bitten_ns: int | None = None
    while _tick(drill, one, child):
        if bitten_ns is None:
            bitten_ns = _follow_injection(drill, one)
        elif _service_held(drill, one, bitten_ns):
            return
        if time.monotonic() > deadline:
            one.events.write("limit.passed", limit_s=drill.spec.limit_s)
            drill.view.say(f"service did not hold within {drill.spec.limit_s:g} s")
            (drill.folder / observe.LIMIT).touch()
            return


def _follow_injection(drill: Drill, one: _Run) -> int | None:
    """Take note of the injection and of its bite; return when the bite was looked for."""
    history = History(drill.folder / "history")
    start = history.event("inject.start")
    if start and one.injected_ns is None:
        one.injected_ns = start.at_ns
        drill.view.say(f"injected: {', '.join(start.detail['targets'])}")
        _phase(drill, one, "observe")
    bite = history.event("bite")
    if bite is None:
        return None
    drill.view.say(f"{'it bit' if bite.detail['confirmed'] else 'NO BITE'}: {bite.detail['evidence']}")
    return bite.at_ns


def _service_held(drill: Drill, one: _Run, bitten_ns: int) -> bool:
    since = one.recent.held_since(bitten_ns)
    if since is None:
        return False
    one.held = True
    one.events.write("service.held", since_ns=since)
    drill.view.say("service has held")
    (drill.folder / observe.HELD).touch()
    return True


def _until_ended(drill: Drill, one: _Run, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _CHILD_ENDS_WITHIN_S
    while _tick(drill, one, child):
        if time.monotonic() > deadline:
            raise NotProven("the experiment's process did not end")


def _heal(drill: Drill, one: _Run) -> bool:
    """Heal whatever the ledger still holds open; nothing, when the experiment's rollbacks did."""
    try:
        if drill.context.ledger.open_entries():
            _phase(drill, one, "heal")
            activities.heal_open(drill.context, drill.staging)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, people must hear that staging is broken
        one.reasons.append(f"NOT HEALED: {type(error).__name__}: {error}")
        return False
    return True


def _aftermath(drill: Drill, one: _Run) -> None:
    """Keep the load on until staging is whole and service has held again: nothing may break on return."""
    _phase(drill, one, "aftermath")
    since = time.monotonic_ns()
    hold_s = drill.spec.hold_at(drill.traffic.rate)
    try:
        _await(drill, one, lambda: not drill.unwhole(), _WHOLE_WITHIN_S, "staging is whole again", every_s=1.0)
        _await(drill, one, lambda: one.recent.held_since(since) is not None, hold_s * 4, "service holds again")
    except (NotProven, Stopped) as why:
        left = drill.unwhole()
        one.events.write("steady", ok=False, when="after", detail=[str(why), *left])
        one.reasons.append(f"after healing: {'; '.join([str(why), *left])}")
        return
    one.events.write("steady", ok=True, when="after", detail=[])


def _final_reads(drill: Drill, one: _Run) -> None:
    try:
        drill.read_back()
    except Exception as error:  # noqa: BLE001 - the probes find no complete reads and say UNKNOWN
        one.reasons.append(f"final reads: {type(error).__name__}: {error}")


def _ending(drill: Drill, one: _Run, *, healed: bool, stopped: bool) -> Ending:
    if stopped or not healed or one.injected_ns is None:
        code = _code_of_nothing_proven(one, healed=healed, stopped=stopped)
        return Ending(verdict=Verdict.UNKNOWN, exit_code=code, judgements=(), reasons=tuple(one.reasons))
    judgements = judge_drill(drill.spec, History(drill.folder / "history"))
    doubt = [Verdict.UNKNOWN] if one.reasons else []
    verdict = worst([*(judgement.verdict for judgement in judgements), *doubt])
    return Ending(
        verdict=verdict,
        exit_code=ExitCode.of(verdict),
        judgements=judgements,
        reasons=tuple(one.reasons),
    )


def _code_of_nothing_proven(one: _Run, *, healed: bool, stopped: bool) -> ExitCode:
    if not healed:
        return ExitCode.NOT_HEALED
    if stopped:
        return ExitCode.STOPPED
    refused = any("Refused:" in reason for reason in one.reasons)
    return ExitCode.REFUSED if refused else ExitCode.UNKNOWN


def _doubts(journal: Journal) -> tuple[str, ...]:
    return journal.failures if journal.ran else (*journal.failures, "the method did not run")


def _start_child(drill: Drill, experiment: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "blackstart.experiment", str(experiment), str(drill.folder / "journal.json")]
    log = (drill.folder / "experiment.log").open("ab")
    with log:
        return lifeline.start(argv, env=drill.context.environment(), log=log, cwd=drill.root)


def _phase(drill: Drill, one: _Run, name: str) -> None:
    one.events.write("phase", name=name)
    drill.view.phase(name)


def _tick(drill: Drill, one: _Run, child: subprocess.Popen[bytes]) -> bool:
    """Let a moment pass, look after everything; tell whether the child still runs."""
    try:
        child.wait(_TICK_S)
    except subprocess.TimeoutExpired:
        _look_around(drill, one)
        return True
    _look_around(drill, one)
    return False


def _look_around(drill: Drill, one: _Run) -> None:
    one.recent.add(drill.tail.poll())
    clock_s = None if one.injected_ns is None else (time.monotonic_ns() - one.injected_ns) / 1e9
    drill.view.show(one.recent.pulse(), clock_s, recovered=one.held)
    if one.stop_reason:
        raise Stopped(one.stop_reason)
    if drill.context.stop_switch.exists():
        raise Stopped(f"the stop switch is on ({drill.context.stop_switch})")
    trouble = drill.load.failed_because()
    if trouble:
        raise NotProven(f"no load: {trouble}")


def _await(
    drill: Drill,
    one: _Run,
    condition: Callable[[], bool],
    within_s: float,
    what: str,
    every_s: float = _TICK_S,
) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotProven(f"not within {within_s:g} s: {what}")
        _pass_time(drill, one, every_s)


def _pass_time(drill: Drill, one: _Run, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(_TICK_S, max(deadline - time.monotonic(), 0)))
        _look_around(drill, one)


@contextmanager
def _stop_on_signals(one: _Run) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a wish to stop, looked at every tick; a second one changes nothing."""

    def wish(number: int, _: FrameType | None) -> None:
        one.stop_reason = one.stop_reason or signal.Signals(number).name

    earlier = {number: signal.signal(number, wish) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


__all__ = ["Drill", "Ending", "InvalidExperiment", "Traffic", "run"]
