"""One drill: on this staging, under this load, break that, watch, put it back, and judge what was seen."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from blackstart import aftermath, guardrails, guards, lifeline, observe
from blackstart.drills import hold_s, judge_drill
from blackstart.exit_code import ExitCode
from blackstart.experiment import doubts, load, read_journal
from blackstart.following import Following
from blackstart.guardrails import Guardrails
from blackstart.history import History
from blackstart.parts import Drill, Ending
from blackstart.pulse import Recent
from blackstart.underway import (
    NotProven,
    Stopped,
    Underway,
    ask,
    pass_time,
    phase,
    stop_on_signals,
    tick,
    wait_for,
)
from blackstart.verdict import Verdict, worst

if TYPE_CHECKING:
    import subprocess

_FIRST_REQUEST_WITHIN_S = 60.0
_CHILD_ENDS_WITHIN_S = 600.0
_ASK_AGAIN_S = 1.0
_HICCUP_S, _LOOK_AGAIN_S = 15.0, 0.5  # how long a baseline that does not hold at first is waited for
_ARRIVES = 0.9  # of the load, in any second of a baseline that holds


def run(drill: Drill) -> Ending:
    """Run one drill. Raises Refused and InvalidExperiment before anything is changed."""
    load(drill.root / drill.spec.experiment)
    guards.check_staging(drill.staging)
    guards.check_nothing_open(drill.context.ledger)
    rate = drill.traffic.rate
    recent = Recent(rate, hold_s(rate), drill.spec.hold_at(rate))
    one = Underway(events=drill.context.events(), recent=recent)
    with stop_on_signals(one):
        try:
            return _run(drill, one)
        finally:
            drill.load.stop()
            drill.watch.stop()
            one.events.close()


def _run(drill: Drill, one: Underway) -> Ending:
    drill.left()  # what was there before
    rails = tuple(drill.guardrails(one))
    guardrails.check(rails)
    watched = Guardrails(rails, one.stop)
    child = _start_child(drill)
    try:
        watched.start()
        _baseline(drill, one)
        _experiment(drill, one, child)
    except Stopped as stop:
        _stopped(drill, one, str(stop))
    except NotProven as why:
        one.reasons.append(str(why))
    except Exception as error:  # noqa: BLE001 - whatever broke the drill must not keep staging broken
        one.reasons.append(f"the drill broke off: {type(error).__name__}: {error}")
    finally:
        # whatever is still running must not break anything more while the ledger is healed
        lifeline.kill(child)
        watched.end()
    healed = _put_back(drill, one)
    if not one.stopped and (drill.folder / observe.GO).exists():
        one.reasons.extend(doubts(read_journal(drill.folder / "journal.json")))
    aftermath.look_what_is_left(drill, one)
    drill.watch.stop()
    if not one.read:
        _read_back(drill, one)
    if one.stop_reason and not one.stopped:  # too late to stop anything, and never to be PASSED
        _stopped(drill, one, one.stop_reason)
    for reason in one.reasons:  # so that the history alone says why a drill proved nothing
        one.events.write("doubt", reason=reason)
    return _ending(drill, one, healed=healed)


def _put_back(drill: Drill, one: Underway) -> bool:
    """Heal, and see that it is true; tell whether staging is as it was before."""
    one.healing = True
    if not aftermath.heal(drill, one):
        return False
    if not any(entry.drill == drill.context.drill for entry in drill.context.ledger.entries()):
        return True
    as_before = aftermath.verify(drill, one)
    if as_before and not one.stopped:
        aftermath.keep_watching(drill, one)
    return as_before


def _stopped(drill: Drill, one: Underway, why: str) -> None:
    one.stopped = True
    one.reasons.append(f"stopped: {why}")
    drill.context.tell("stopped", reason=why)
    drill.view.say(f"stopped: {why}; healing")


def _baseline(drill: Drill, one: Underway) -> None:
    """Bring the load on and see that all is well before anything is broken."""
    drill.safety.watchdog.await_ready()
    phase(drill, one, "warm-up")
    not_whole = ask(drill, one, drill.unwhole)
    if not_whole:
        raise NotProven(f"staging is not whole before the drill: {'; '.join(not_whole)}")
    drill.watch.start(one.events)
    one.events.write("load.start", rate=drill.traffic.rate, seed=drill.traffic.seed)
    drill.load.start()
    wait_for(
        drill,
        one,
        lambda: bool(one.recent.pulse().rate),
        within_s=_FIRST_REQUEST_WITHIN_S,
        what="the load arrives",
    )
    pass_time(drill, one, drill.traffic.warm_up_s)
    one.events.write("snapshot", state=ask(drill, one, drill.snapshot))
    phase(drill, one, "baseline")
    pass_time(drill, one, max(drill.traffic.baseline_s, drill.spec.baseline_s))
    _await_steady(drill, one)


def _await_steady(drill: Drill, one: Underway) -> None:
    """Wait for a second in which all is well, but not long: a hiccup passes, trouble stays."""
    deadline = time.monotonic() + _HICCUP_S
    while True:
        pulse = one.recent.pulse()
        if pulse.success == 1 and pulse.rate >= _ARRIVES * drill.traffic.rate:
            return
        if time.monotonic() > deadline:
            raise NotProven(
                f"the baseline does not hold: {pulse.rate:.0f} of {drill.traffic.rate:.0f} requests/s, "
                f"{pulse.success:.2%} of them well"
            )
        pass_time(drill, one, _LOOK_AGAIN_S)


def _experiment(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> None:
    """Inject through Chaos Toolkit, in a process of its own, and watch until service has held."""
    phase(drill, one, "inject")
    (drill.folder / observe.GO).touch()
    _observe(drill, one, child)
    phase(drill, one, "heal")
    _until_ended(drill, one, child)


def _observe(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + drill.spec.limit_s
    following = Following(drill, one)
    while tick(drill, one, child):
        following.look()
        if following.since_ns is not None and _service_held(drill, one, following.since_ns):
            return
        if following.gave_up:
            (drill.folder / observe.LIMIT).touch()
            return
        if time.monotonic() > deadline:
            one.events.write("limit.passed", limit_s=drill.spec.limit_s)
            drill.view.say(f"service did not hold within {drill.spec.limit_s:g} s")
            if following.since_ns is None:  # a runbook may go on for hours, and nobody waits for it
                raise NotProven(f"not within {drill.spec.limit_s:g} s: people recovered it")
            (drill.folder / observe.LIMIT).touch()
            return


def _service_held(drill: Drill, one: Underway, since_ns: int) -> bool:
    since = one.recent.held_since(since_ns)
    if since is None or not _replaced(drill, one) or not _told(drill, one):
        return False
    one.held = True
    one.events.write("service.held", since_ns=since)
    drill.view.say("service has held")
    if drill.spec.elsewhere:  # healing leads customers back to a ledger that knows nothing of this one
        _read_back(drill, one)
    (drill.folder / observe.HELD).touch()
    return True


def _replaced(drill: Drill, one: Underway) -> bool:
    """Tell whether the platform has replaced what the fault took away, if the drill is to wait for that."""
    if not drill.spec.until_whole or not ask(drill, one, drill.unwhole):
        return True
    pass_time(drill, one, _ASK_AGAIN_S)
    return False


def _told(drill: Drill, one: Underway) -> bool:
    """Tell whether the alarms that this drill waits for went off, or had their time."""
    injected_ns = one.injected_ns or 0
    return time.monotonic_ns() - injected_ns > drill.spec.alarms_within_s * 1e9 or all(
        drill.watch.told(name, injected_ns) for name in drill.spec.alarms
    )


def _until_ended(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _CHILD_ENDS_WITHIN_S
    while tick(drill, one, child):
        if time.monotonic() > deadline:
            raise NotProven("the experiment's process did not end")


def _read_back(drill: Drill, one: Underway) -> None:
    """End the load, then read back what has become of everything it was told."""
    phase(drill, one, "final reads")
    drill.load.stop()
    one.events.write("load.stop")
    one.read = True
    if one.injected_ns is not None and not one.stopped:
        aftermath.read_back(drill, one)


def _ending(drill: Drill, one: Underway, *, healed: bool) -> Ending:
    if one.stopped or one.injected_ns is None:
        return _unproven(one, _code_of_nothing_proven(one, healed=healed))
    drill.safety.watchdog.promise(aftermath.READS_WITHIN_S)
    judgements = judge_drill(drill.spec, History(drill.folder / "history"))
    doubt = [Verdict.UNKNOWN] if one.reasons else []
    verdict = worst([*(judgement.verdict for judgement in judgements), *doubt])
    return Ending(
        verdict=verdict,
        exit_code=ExitCode.of(verdict) if healed else ExitCode.NOT_HEALED,
        judgements=judgements,
        reasons=tuple(one.reasons),
    )


def _unproven(one: Underway, code: ExitCode) -> Ending:
    return Ending(verdict=Verdict.UNKNOWN, exit_code=code, judgements=(), reasons=tuple(one.reasons))


def _code_of_nothing_proven(one: Underway, *, healed: bool) -> ExitCode:
    if not healed:
        return ExitCode.NOT_HEALED
    if one.stopped:
        return ExitCode.STOPPED
    refused = any("Refused:" in reason for reason in one.reasons)
    return ExitCode.REFUSED if refused else ExitCode.UNKNOWN


def _start_child(drill: Drill) -> subprocess.Popen[bytes]:
    """Start the experiment's process; it loads everything and waits for the word."""
    experiment, journal = drill.root / drill.spec.experiment, drill.folder / "journal.json"
    argv = [sys.executable, "-m", "blackstart.experiment", str(experiment), str(journal)]
    with (drill.folder / "experiment.log").open("ab") as log:
        return lifeline.start(
            argv, env=drill.context.environment(), log=log, cwd=drill.root, keeps=(drill.safety.lock,)
        )
