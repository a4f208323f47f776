"""What a drill is made of: its experiment, its promises, and how long service must hold to have come back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blackstart.exit_code import UNHEALED
from blackstart.verdict import Judgement, Measurement, Objective, Verdict, blind, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.history import History

HOLD_REQUESTS = 3000  # with no failure among them 99.9 % is proven at 95 % confidence (2,995 are needed)
HOLD_S_MIN = 3.0
NOT_SHOWN = (
    "One run: 59 passed in a row would show that 95 of 100 such faults end well (95 % confidence); one, 5.",
    "Production: this was a staging, with its own size, data and neighbours.",
    "People: nobody was called, nobody decided anything, no customer was informed.",
    "Card payments, e-mail and other outside parties: the load moves money between the bank's own accounts.",
)
NOT_SHOWN_OF_REGIONS = (
    "Route 53: its changes go through us-east-1; when that is lost, accelerated recovery takes 60 minutes.",
    "The other region's capacity: on the day itself, everybody wants it.",
    "The way back with what was booked meanwhile: healing puts staging back as it was found.",
)
# Units of what the books alone prove: what the platform lost is lost, whatever load, clock or fault did.
OF_THE_BOOKS = frozenset({"records", "discrepancies", "receipts", "rows", "runbooks", "recovery points"})
DEADLINE_S = 2.0  # the load gives a request up after this; it is part of what "recovered" means


def hold_s(rate_per_s: float) -> float:
    """Return how long service must hold to have recovered: 3 s at 1,000/s, 30 s at 100/s."""
    return max(HOLD_S_MIN, HOLD_REQUESTS / rate_per_s)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measurement that is shown beside the objectives and never judged."""

    name: str
    unit: str
    probe: Callable[[History], Measurement]

    def measure(self, history: History) -> Measurement:
        """Measure it. A probe that crashes has not measured."""
        try:
            return self.probe(history)
        except Exception as error:  # noqa: BLE001 - a figure that broke must not take the verdict with it
            return blind(self.unit, f"the probe broke: {type(error).__name__}: {error}")


@dataclass(frozen=True, kw_only=True)
class DrillSpec:
    """One drill as planned: what is broken, what was promised, and when to give up waiting."""

    name: str
    title: str  # the hypothesis, as one sentence
    experiment: str  # path of the Chaos Toolkit file, from the root of the repository
    preconditions: tuple[Objective, ...]  # of the drill itself: one that is missed proves nothing
    objectives: tuple[Objective, ...]
    recovery: Objective  # the one among `objectives` that says when service held again
    figures: tuple[Figure, ...] = ()
    hold_s: float = HOLD_S_MIN  # at least; see `hold_at`
    elsewhere: str = ""  # the region where people recover it, when its own is lost: looked at and read there
    restores: bool = False  # people recover it by a runbook in the method: it holds only after that has ended
    baseline_s: float = 0.0  # at least; longer where what is tested takes a while to exist, like a backup
    limit_s: float = 120.0  # when service has not begun to hold by then: heal, and judge what was seen
    alarms: tuple[str, ...] = ("",)  # what alarms' names begin with: watch until each went off, or for
    alarms_within_s: float = 62.0  # so long: a little longer than they may take
    until_whole: bool = False  # watch until everything that the fault took away has been replaced, too
    rate: float = 1000.0  # requests per second unless told otherwise
    tasks: int = 2  # that the service must desire for the fault to find something
    not_shown: tuple[str, ...] = ()  # what this drill cannot prove, whatever its verdict

    def hold_at(self, rate_per_s: float) -> float:
        """Return how long to watch service hold before healing, at this rate.

        Longer than recovery is judged by: the last request of the hold must have had time to fail.
        """
        return max(self.hold_s, hold_s(rate_per_s)) + DEADLINE_S + 1.0


def judge_drill(spec: DrillSpec, history: History) -> tuple[Judgement, ...]:
    """Judge every precondition, then every objective.

    Where a precondition did not hold, an objective may have been missed through our own harness. It is
    UNKNOWN then, not FAILED, and says so; but for those that the books alone prove. Where healing failed,
    only what was seen before it began says something about the platform.
    """
    preconditions = tuple(judge(objective, history) for objective in spec.preconditions)
    broken = [one.objective.name for one in preconditions if one.verdict is not Verdict.PASSED]
    judged = tuple(judge(objective, history) for objective in spec.objectives)
    if broken:
        why = f"not held against the platform, for the harness fell short: {', '.join(broken)}"
        judged = tuple(one if one.objective.unit in OF_THE_BOOKS else _excused(one, why) for one in judged)
    if is_unhealed(history):
        judged = tuple(one if _is_from_before(one, history) else _unproven(one) for one in judged)
    return (*(_excused(one) for one in preconditions), *judged)


def is_unhealed(history: History) -> bool:
    """Tell whether healing failed: what was seen from its beginning on may be its own work."""
    doubts = (str(event.detail["reason"]) for event in history.events if event.kind == "doubt")
    return any(doubt.startswith(UNHEALED) for doubt in doubts)


def books_count(history: History) -> bool:
    """Tell whether what was read back says something of the platform: it was not healing that failed before.

    Where people recover in another region, all is read back there, before healing leads customers home.
    """
    reads, heal = history.event("phase", name="final reads"), history.event("heal.start")
    return not is_unhealed(history) or (reads is not None and heal is not None and reads.at_ns < heal.at_ns)


def _is_from_before(judgement: Judgement, history: History) -> bool:
    of_the_books = judgement.objective.unit in OF_THE_BOOKS
    return judgement.objective.unaided or (of_the_books and books_count(history))


def _excused(judgement: Judgement, why: str = "") -> Judgement:
    """Return a missed promise as UNKNOWN: the platform is not to blame for our own load."""
    if judgement.verdict is not Verdict.FAILED:
        return judgement
    return _unknown(judgement, why)


def _unproven(judgement: Judgement) -> Judgement:
    """Return it as UNKNOWN: what was measured may be the work of healing that failed."""
    return _unknown(judgement, "proves nothing, for it was measured while healing failed")


def _unknown(judgement: Judgement, why: str) -> Judgement:
    measured = judgement.measurement
    if why:
        measured = replace(measured, note=f"{measured.note}; {why}")
    return replace(judgement, verdict=Verdict.UNKNOWN, measurement=measured)
