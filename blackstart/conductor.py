"""One drill: on this staging, under this load, break that, watch, put it back, and judge what was seen."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, wait_fixed

from blackstart import activities, guards, lifeline, observe
from blackstart.drills import hold_s, judge_drill
from blackstart.exit_code import ExitCode
from blackstart.experiment import doubts, load, read_journal
from blackstart.following import Following
from blackstart.history import History
from blackstart.parts import Drill, Ending, Left
from blackstart.pulse import Recent
from blackstart.underway import (
    NotProven,
    Stopped,
    Underway,
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
_WHOLE_WITHIN_S = 180.0
_CHILD_ENDS_WITHIN_S = 600.0
_ASK_AGAIN_S = 1.0
_GONE_WITHIN_S = 20.0
_HEALS_WITHIN_S = 7200.0
_READS_WITHIN_S = 3600.0


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
    child = _start_child(drill)
    try:
        _baseline(drill, one)
        _experiment(drill, one, child)
    except Stopped as stop:
        one.stopped = True
        one.reasons.append(f"stopped: {stop}")
        one.events.write("stopped", reason=str(stop))
        drill.view.say(f"stopped: {stop}; healing")
    except NotProven as why:
        one.reasons.append(str(why))
    finally:
        # whatever is still running must not break anything more while the ledger is healed
        lifeline.kill(child)
    healed = _heal(drill, one)
    if healed and one.injected_ns is not None and not one.stopped:
        _aftermath(drill, one)
    _look_what_is_left(drill, one)
    drill.watch.stop()
    phase(drill, one, "final reads")
    drill.load.stop()
    one.events.write("load.stop")
    if one.injected_ns is not None and not one.stopped:
        _final_reads(drill, one)
    for reason in one.reasons:  # so that the history alone says why a drill proved nothing
        one.events.write("doubt", reason=reason)
    return _ending(drill, one, healed=healed)


def _baseline(drill: Drill, one: Underway) -> None:
    """Bring the load on and see that all is well before anything is broken."""
    drill.watchdog.await_ready()
    phase(drill, one, "warm-up")
    not_whole = drill.unwhole()
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
    phase(drill, one, "baseline")
    pass_time(drill, one, max(drill.traffic.baseline_s, drill.spec.baseline_s))
    pulse = one.recent.pulse()
    if pulse.success < 1 or pulse.rate < 0.9 * drill.traffic.rate:
        raise NotProven(
            f"the baseline does not hold: {pulse.rate:.0f} of {drill.traffic.rate:.0f} requests/s, "
            f"{pulse.success:.2%} of them well"
        )


def _experiment(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> None:
    """Inject through Chaos Toolkit, in a process of its own, and watch until service has held."""
    phase(drill, one, "inject")
    (drill.folder / observe.GO).touch()
    _observe(drill, one, child)
    phase(drill, one, "heal")
    _until_ended(drill, one, child)
    one.reasons.extend(doubts(read_journal(drill.folder / "journal.json")))


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
    if since is None or not _replaced(drill, one):
        return False
    one.held = True
    one.events.write("service.held", since_ns=since)
    drill.view.say("service has held")
    (drill.folder / observe.HELD).touch()
    return True


def _replaced(drill: Drill, one: Underway) -> bool:
    """Tell whether the platform has replaced what the fault took away, if the drill is to wait for that."""
    if not drill.spec.until_whole or not drill.unwhole():
        return True
    pass_time(drill, one, _ASK_AGAIN_S)
    return False


def _until_ended(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _CHILD_ENDS_WITHIN_S
    while tick(drill, one, child):
        if time.monotonic() > deadline:
            raise NotProven("the experiment's process did not end")


def _heal(drill: Drill, one: Underway) -> bool:
    """Heal whatever the ledger still holds open; nothing, when the experiment's rollbacks did."""
    drill.watchdog.promise(_HEALS_WITHIN_S)
    try:
        if drill.context.ledger.open_entries():
            phase(drill, one, "heal")
            activities.heal_open(drill.context, drill.staging)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, people must hear that staging is broken
        one.reasons.append(f"NOT HEALED: {type(error).__name__}: {error}")
        return False
    return True


def _aftermath(drill: Drill, one: Underway) -> None:
    """Keep the load on until staging is whole and service has held again: nothing may break on return."""
    phase(drill, one, "aftermath")
    since = time.monotonic_ns()
    window_s = drill.spec.hold_at(drill.traffic.rate)
    try:
        wait_for(
            drill,
            one,
            lambda: not drill.unwhole(),
            within_s=_WHOLE_WITHIN_S,
            what="staging is whole again",
            every_s=1.0,
        )
        wait_for(
            drill,
            one,
            lambda: one.recent.held_since(since) is not None,
            within_s=window_s * 10,
            what="service holds again",
        )
    except (NotProven, Stopped) as why:
        one.stopped = isinstance(why, Stopped)
        left = drill.unwhole()
        one.events.write("steady", ok=False, when="after", detail=[str(why), *left])
        one.reasons.append(f"after healing: {'; '.join([str(why), *left])}")
        return
    one.events.write("steady", ok=True, when="after", detail=[])


def _look_what_is_left(drill: Drill, one: Underway) -> None:
    """Look for what costs money and was not there before: that nothing was left is only said after a look."""
    try:
        left = _left_at_last(drill)
    except Exception as error:  # noqa: BLE001 - whatever it was, nobody may say that nothing was left
        one.reasons.append(f"what was left running is not known: {type(error).__name__}: {error}")
        return
    one.events.write("left", looked_at=left.looked_at, regions=left.regions, found=left.found)
    if left.found:
        one.reasons.append(f"left running: {', '.join(left.found)}")


def _left_at_last(drill: Drill) -> Left:
    """Return what is left when that is nothing, or when enough time has passed for it to go."""
    deadline = time.monotonic() + _GONE_WITHIN_S
    attempts = Retrying(
        retry=retry_if_result(lambda left: bool(left.found)),
        stop=lambda _: time.monotonic() > deadline,
        wait=wait_fixed(_ASK_AGAIN_S),
        retry_error_callback=lambda _: drill.left(),
    )
    return attempts(drill.left)


def _final_reads(drill: Drill, one: Underway) -> None:
    drill.watchdog.promise(_READS_WITHIN_S)
    try:
        drill.read_back()
    except Exception as error:  # noqa: BLE001 - the probes find no complete reads and say UNKNOWN
        one.reasons.append(f"final reads: {type(error).__name__}: {error}")


def _ending(drill: Drill, one: Underway, *, healed: bool) -> Ending:
    if one.stopped or not healed or one.injected_ns is None:
        code = _code_of_nothing_proven(one, healed=healed)
        return Ending(verdict=Verdict.UNKNOWN, exit_code=code, judgements=(), reasons=tuple(one.reasons))
    drill.watchdog.promise(_READS_WITHIN_S)
    judgements = judge_drill(drill.spec, History(drill.folder / "history"))
    doubt = [Verdict.UNKNOWN] if one.reasons else []
    verdict = worst([*(judgement.verdict for judgement in judgements), *doubt])
    return Ending(
        verdict=verdict,
        exit_code=ExitCode.of(verdict),
        judgements=judgements,
        reasons=tuple(one.reasons),
    )


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
            argv, env=drill.context.environment(), log=log, cwd=drill.root, keeps=(drill.lock,)
        )
