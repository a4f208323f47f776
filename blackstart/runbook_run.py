"""Follow a runbook: each step looked at, begun, waited for, timed and written down."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_result, stop_after_delay

from blackstart import context, guards, runbook_print
from blackstart.activities import Activity, heal_open, signed
from blackstart.choke import Refused
from blackstart.runbook import GoBack, RunbookFailed, State
from blackstart.telling import telling
from blackstart.waiting import TooLate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from blackstart.context import Context
    from blackstart.ledger import Entry
    from blackstart.runbook import Runbook, Step
    from blackstart.staging import Staging

_LOOK_EVERY_S_MIN, _LOOK_EVERY_S_MAX = 0.2, 10.0
_LOOKS_PER_WAIT = 20  # so that looking costs about a twentieth of what is waited for
_BACK_MAX = 20


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One step as it was taken."""

    step: str
    seconds: float
    detail: str
    outcome: str  # "done", "was done already", "went back", "failed"


def runbook_activities(runbook_type: type[Any]) -> tuple[Activity, Activity]:
    """Return the runbook's `run` and `abandon`, for its module to export to Chaos Toolkit."""
    name = name_of(runbook_type)

    def run(**arguments: Any) -> str:
        return follow(context.current(), context.attached(), runbook_type(**arguments))

    def abandon(**arguments: Any) -> str:
        runbook_type(**arguments)
        return heal_open(context.current(), context.attached(), only=name)

    return signed(run, runbook_type), signed(abandon, runbook_type)


def name_of(runbook_type: type[Any]) -> str:
    """Return the name under which the ledger keeps a runbook."""
    return f"{runbook_type.__module__}:{runbook_type.__name__}"


def open_run(here: Context) -> Entry | None:
    """Return the ledger entry of the runbook that was begun and not ended, None when there is none."""
    return next((e for e in here.ledger.open_entries() if e.fault.startswith("runbooks.")), None)


def follow(
    here: Context,
    staging: Staging,
    runbook: Runbook,
    *,
    resume: Entry | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Take every step; return in words what was done. When it raises, its ledger entry stays open.

    Raises Refused before anything is changed, RunbookFailed or TooLate when it cannot go on.
    """
    entry = resume or _open(here, staging, runbook)
    events = here.events()
    state = State(entry, here.ledger, events)
    events.write("runbook.start", runbook=entry.fault, entry=entry.id, resumed=resume is not None)
    run = _Run(staging, state, say)
    outcome = "stopped"
    try:
        run.take(runbook.steps())
        here.ledger.healed(entry.id, "the runbook is done")
        outcome = "finished"
    except Exception as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        raise
    finally:
        seconds = round(sum(taken.seconds for taken in run.taken), 3)
        events.write("runbook.end", runbook=entry.fault, entry=entry.id, outcome=outcome, seconds=seconds)
        _keep(here, runbook, run.taken, outcome)
        events.close()
    return f"{len(run.taken)} steps in {seconds:.1f} s"


def _open(here: Context, staging: Staging, runbook: Runbook) -> Entry:
    """Open a ledger entry. Open faults are no obstacle: to recover from them is what runbooks are for."""
    left = open_run(here)
    if left is not None:
        raise Refused(f"{left.fault} was begun and not ended: resume it, or run: blackstart heal")
    plan = runbook.prepare(staging)
    guards.check_plan(staging, plan)
    arguments = asdict(runbook)
    entry = here.ledger.open(here.drill, name_of(type(runbook)), arguments, plan, staging.facts)
    here.ledger.note(entry.id, {"seed": here.seed})
    entry.notes["seed"] = here.seed
    return entry


def _keep(here: Context, runbook: Runbook, taken: list[Taken], outcome: str) -> None:
    """Leave the checklist as it was gone through, beside the history."""
    folder = Path(here.folder) if here.folder else here.ledger.path.parent
    name = type(runbook).__module__.rpartition(".")[2]
    text = runbook_print.as_taken(runbook, [(t.step, t.outcome, t.seconds, t.detail) for t in taken], outcome)
    (folder / f"runbook-{name}.md").write_text(text)


class _Run:
    """One run through the steps."""

    def __init__(self, staging: Staging, state: State, say: Callable[[str], None]) -> None:
        self._staging = staging
        self._state = state
        self._say = say
        self.taken: list[Taken] = []

    def take(self, steps: tuple[Step, ...]) -> None:
        """Take the steps in order; a step may send us back."""
        names = [step.name for step in steps]
        number = backs = 0
        while number < len(steps):
            try:
                self._take(steps[number])
                number += 1
            except GoBack as back:
                backs += 1
                if backs > _BACK_MAX:
                    raise RunbookFailed(f"went back {_BACK_MAX} times; the last time: {back}") from back
                number = names.index(back.to)

    def _take(self, step: Step) -> None:
        began = time.monotonic()
        self._state.progress = None
        try:
            with telling(lambda elapsed_s: self._tell(step, elapsed_s)):
                outcome = self._until_done(step)
        except GoBack as back:
            self._state.remark(str(back))
            self._written(step, began, "went back")
            raise
        except Exception as error:
            self._state.remark(f"{type(error).__name__}: {error}")
            self._written(step, began, "failed")
            raise
        self._written(step, began, outcome)

    def _until_done(self, step: Step) -> str:
        if step.done(self._staging, self._state):
            return "was done already"
        self._say(f"{step.name} ...")
        step.do(self._staging, self._state)
        self._wait(step)
        return "done"

    def _wait(self, step: Step) -> None:
        began = time.monotonic()

        def done() -> bool:
            if step.done(self._staging, self._state):
                return True
            self._state.progress = step.progress(self._staging, self._state)
            return False

        def too_late(_: RetryCallState) -> bool:
            raise TooLate(f"not within {step.within_s:g} s: {step.name}")

        Retrying(
            retry=retry_if_result(lambda is_done: not is_done),
            stop=stop_after_delay(step.within_s),
            wait=lambda _: _pause_s(time.monotonic() - began),
            retry_error_callback=too_late,
        )(done)

    def _tell(self, step: Step, elapsed_s: float) -> None:
        """Say how far it is, also when nothing moves: a long step must not look hung."""
        seen = self._state.progress
        percent, detail, eta_s = (seen.percent, seen.detail, seen.eta_s) if seen else (None, "", None)
        if eta_s is None and percent:
            eta_s = elapsed_s * (100 - percent) / percent
        self._state.event(
            "runbook.progress", step=step.name, percent=percent, detail=detail,
            elapsed_s=round(elapsed_s, 1), eta_s=None if eta_s is None else round(eta_s, 1),
        )  # fmt: skip
        self._say(f"  {_so_far(percent, elapsed_s, eta_s)}{detail and '  ' + detail}")

    def _written(self, step: Step, began: float, outcome: str) -> None:
        seconds, detail = round(time.monotonic() - began, 3), self._state.take_remarks()
        self.taken.append(Taken(step=step.name, seconds=seconds, detail=detail, outcome=outcome))
        self._state.event(
            "runbook.step", runbook=self._state.id, step=step.name, seconds=seconds, outcome=outcome,
            detail=detail,
        )  # fmt: skip
        self._say(f"{step.name}: {outcome} in {seconds:.1f} s{detail and ': ' + detail}")


def _pause_s(elapsed_s: float) -> float:
    return min(_LOOK_EVERY_S_MAX, max(_LOOK_EVERY_S_MIN, elapsed_s / _LOOKS_PER_WAIT))


def _so_far(percent: float | None, elapsed_s: float, eta_s: float | None) -> str:
    done = "" if percent is None else f"{percent:5.1f}%  "
    left = "" if eta_s is None else f", about {eta_s:.0f} s left"
    return f"{done}{elapsed_s:.0f} s{left}"
