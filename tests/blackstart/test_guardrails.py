"""A guardrail stops the drill: one that says so, one that cannot be read, one that does not answer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from blackstart import rails
from blackstart.choke import Refused
from blackstart.context import Context
from blackstart.guardrails import Guardrail, Guardrails, check
from blackstart.history import EventLog
from blackstart.parts import Safety, Traffic
from blackstart.pulse import Recent
from blackstart.staging import Safeguards
from blackstart.underway import Stopped, Underway, ask, look_around
from blackstart.waiting import wait_until
from catalogue import DRILLS
from staging.local.control_plane.platform import DR_REGION
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.parts import Drill

PATIENCE_S = 10.0


def first_word(*looks: Callable[[], str | None], blind_after_s: float = 0.2) -> str:
    """Return what the guardrails stop for."""
    said: list[str] = []
    names = (Guardrail(name=f"rail {n}", look=look, every_s=0.02) for n, look in enumerate(looks))
    watched = Guardrails(tuple(names), said.append, blind_after_s=blind_after_s)
    watched.start()
    wait_until(lambda: bool(said), within_s=PATIENCE_S, what="a guardrail", every_s=0.01)
    watched.end()
    return said[0]


def well() -> None:
    """All is well."""


def blind() -> None:
    raise ConnectionError("no route")


def test_the_first_that_says_stop_is_heard_once() -> None:
    assert first_word(well, lambda: "enough", blind_after_s=60) == "enough"


def test_one_that_cannot_be_read_stops_too_and_says_why() -> None:
    assert "rail 1 could not be read" in (word := first_word(well, blind))
    assert "ConnectionError: no route" in word


def test_one_that_does_not_answer_keeps_none_from_being_seen() -> None:
    never = threading.Event()

    assert first_word(lambda: str(never.wait(60)), lambda: "enough", blind_after_s=60) == "enough"
    assert "no answer" in first_word(lambda: str(never.wait(60)), well)

    never.set()


def test_after_the_end_nobody_is_stopped() -> None:
    said: list[str] = []
    go = threading.Event()
    watched = Guardrails(
        [Guardrail(name="late", look=lambda: (go.wait(PATIENCE_S) and "late") or None)], said.append
    )
    watched.start()
    watched.end()
    go.set()
    wait_until(
        lambda: "late" not in (t.name for t in threading.enumerate()), within_s=PATIENCE_S, what="its end"
    )

    assert said == []


def test_a_drill_does_not_begin_before_a_guardrail_that_says_stop_or_nothing() -> None:
    check([Guardrail(name="a", look=well)])
    with pytest.raises(Refused, match="enough"):
        check([Guardrail(name="a", look=lambda: "enough")])
    with pytest.raises(Refused, match="b cannot be read: ConnectionError"):
        check([Guardrail(name="a", look=well), Guardrail(name="b", look=blind)])


@dataclass
class Dog:
    alive: bool = True

    def promise(self, within_s: float = 60) -> None:
        """Take note."""


@dataclass
class Held:
    lost: str | None = None


@dataclass
class Nothing:
    def poll(self) -> list[list[Any]]:
        return []

    def phase(self, name: str) -> None:
        """Show no phase."""

    def show(self, *_: object, **__: object) -> None:
        """Show nothing."""

    def failed_because(self) -> None:
        """Nothing failed."""


@dataclass
class Part:
    """As much of a drill as its guardrails look at."""

    context: Context
    spec: DrillSpec = field(default_factory=lambda: DRILLS["az-loss"])
    traffic: Traffic = field(default_factory=lambda: Traffic(rate=100, seed=1))
    dog: Dog = field(default_factory=Dog)
    held: Held = field(default_factory=Held)
    tail: Nothing = field(default_factory=Nothing)
    view: Nothing = field(default_factory=Nothing)
    load: Nothing = field(default_factory=Nothing)

    @property
    def safety(self) -> Safety:
        return Safety(
            watchdog=cast("Any", self.dog), lock=0, hold=cast("Any", self.held),
            safeguards=Safeguards(budget_percent=1.0),
        )  # fmt: skip


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Underway]:
    events = EventLog(tmp_path / "history")
    yield Underway(events=events, recent=Recent(100, 1, 1))
    events.close()


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return Part(Context(home=str(tmp_path)))


def row(outcome: str) -> list[Any]:
    now = time.monotonic_ns()
    return [now, now, now, "transfer", outcome, "", 200, "", None, "", ""]


def reasons(part: Part, one: Underway) -> list[str]:
    return [said for rail in rails.here(cast("Drill", part), one) if (said := rail.look())]


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        (lambda part, _: (part.context.place.mkdir(), part.context.stop_switch.touch()), "stop switch is on"),
        (lambda part, _: setattr(part.dog, "alive", False), "the watchdog is gone"),
        (lambda part, _: setattr(part.held, "lost", "another machine"), "another machine"),
        (lambda _, one: one.hear([row("failed")] * 2593), "1 % of a month's error budget"),
        (lambda _, one: setattr(one, "heard_s", time.monotonic() - 16), "no request was recorded for 15 s"),
        (
            lambda _, one: setattr(one, "injected_ns", time.monotonic_ns() - 736 * 10**9),
            "since the injection",
        ),
    ],
)
def test_each_limit_of_this_machine(
    part: Part, one: Underway, happens: Callable[[Part, Underway], object], says: str
) -> None:
    one.hear([row("ok")] * 5000 + [row("failed")] * 2592)
    one.bad = 0 if "budget" in says else one.bad
    one.injected_ns = time.monotonic_ns() - 734 * 10**9

    assert reasons(part, one) == []

    happens(part, one)

    assert len(reasons(part, one)) == 1
    assert says in reasons(part, one)[0]


def test_a_load_that_was_ended_for_the_final_reads_may_be_silent(part: Part, one: Underway) -> None:
    one.heard_s = time.monotonic() - 16
    one.read = True

    assert reasons(part, one) == []


def test_a_stop_is_heard_while_staging_does_not_answer(part: Part, one: Underway) -> None:
    never = threading.Event()
    threading.Timer(0.2, one.stop, ["enough"]).start()
    with pytest.raises(Stopped, match="enough"):
        ask(cast("Drill", part), one, lambda: never.wait(60))

    one.healing = True
    look_around(cast("Drill", part), one)

    assert ask(cast("Drill", part), one, lambda: 4) == 4
    with pytest.raises(ZeroDivisionError):
        ask(cast("Drill", part), one, lambda: 1 // 0)

    never.set()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


def test_the_accounts_own_switches(account: Account) -> None:
    here = account.home("switches")
    lever = {"status": "disengaged"}

    @account.front.operation("fis", "GetSafetyLever")
    def get(_: object) -> dict[str, Any]:
        return {"safetyLever": {"id": "default", "state": lever}}

    cloudwatch = account.aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="burn", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, Threshold=1,
        MetricName="m", Namespace="n", Period=60, Statistic="Sum",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="burn", StateValue="OK", StateReason="t")
    watched = Safeguards(
        region=DR_REGION, stop_parameter="/blackstart/stop", safety_lever="default", alarms=("burn",)
    )
    found = {rail.name.split()[1]: rail.look for rail in rails.of_account(here.attach(), watched)}

    assert [look() for look in found.values()] == [None, None, None]

    account.aws("ssm", DR_REGION).put_parameter(Name="/blackstart/stop", Value="stop", Overwrite=True)
    lever.update(status="engaged", reason="incident")
    cloudwatch.set_alarm_state(AlarmName="burn", StateValue="INSUFFICIENT_DATA", StateReason="t")

    assert [look() for look in found.values()] == [
        "the stop parameter /blackstart/stop says 'stop'",
        "the safety lever default is engaged: incident",
        "alarm burn is INSUFFICIENT_DATA",
    ]

    cloudwatch.delete_alarms(AlarmNames=["burn"])
    with pytest.raises(LookupError, match="no alarm burn"):
        found["alarms"]()
