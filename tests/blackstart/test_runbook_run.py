"""A runbook is followed step by step, goes back, goes on where it stopped, and leaves nothing behind."""

from __future__ import annotations

import sys
import threading
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from blackstart import activities, telling
from blackstart.choke import Refused
from blackstart.context import Context
from blackstart.history import Event, History
from blackstart.runbook import Progress, RunbookFailed, Step
from blackstart.runbook_run import follow, open_run
from blackstart.waiting import TooLate
from tests.blackstart.topic_runbook import Account, TopicRunbook, topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blackstart.runbook import State
    from blackstart.staging import Staging


@pytest.fixture
def here(tmp_path: Path) -> Context:
    return Context(home=str(tmp_path))


@pytest.fixture
def staging(here: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    module = types.ModuleType("runbooks.topic")
    module.__dict__["TopicRunbook"] = TopicRunbook
    monkeypatch.setitem(sys.modules, "runbooks.topic", module)
    monkeypatch.setattr(TopicRunbook, "__module__", "runbooks.topic")
    with mock_aws():
        yield Account(here.ledger)


def events(here: Context, kind: str) -> list[Event]:
    return [event for event in History(here.ledger.path.parent).events if event.kind == kind]


def steps(here: Context) -> list[tuple[Any, Any]]:
    return [(event.detail["step"], event.detail["outcome"]) for event in events(here, "runbook.step")]


def test_every_step_is_taken_timed_and_written_down(here: Context, staging: Account) -> None:
    follow(here, staging, TopicRunbook())

    assert steps(here) == [("Make the topic", "done"), ("Verify it", "done"), ("Name it", "done")]
    assert events(here, "runbook.step")[1].detail["detail"] == "it is good"
    assert [e.detail["outcome"] for e in events(here, "runbook.end")] == ["finished"]
    assert here.ledger.open_entries() == ()
    kept = (here.ledger.path.parent / "runbook-topic.md").read_text()
    assert "- [x] Verify it: done" in kept
    assert "Outcome: finished" in kept


def test_what_is_bad_sends_it_back(here: Context, staging: Account) -> None:
    follow(here, staging, TopicRunbook(bad=2))

    assert [outcome for _, outcome in steps(here)] == [
        "done", "went back", "done", "went back", "done", "done", "done",
    ]  # fmt: skip
    assert len(topics(staging)) == 3


def test_it_goes_on_where_it_stopped(here: Context, staging: Account) -> None:
    with pytest.raises(RunbookFailed, match="verify"):
        follow(here, staging, TopicRunbook(breaks_at="verify"))
    with pytest.raises(Refused, match="resume"):
        follow(here, staging, TopicRunbook())
    entry = open_run(here)
    assert entry is not None
    follow(here, staging, TopicRunbook(), resume=entry)

    assert steps(here)[2:] == [
        ("Make the topic", "was done already"),
        ("Verify it", "done"),
        ("Name it", "done"),
    ]
    assert len(topics(staging)) == 1
    assert here.ledger.open_entries() == ()


@pytest.mark.parametrize("where", ["after the call", "verify"])
def test_healing_abandons_what_was_cut_off(here: Context, staging: Account, where: str) -> None:
    with pytest.raises(RunbookFailed):
        follow(here, staging, TopicRunbook(breaks_at=where))
    assert len(topics(staging)) == 1

    assert activities.heal_open(here, staging) == "healed: runbooks.topic:TopicRunbook"

    assert topics(staging) == []
    assert here.ledger.open_entries() == ()
    assert [e.detail["outcome"] for e in events(here, "runbook.end")][-1] == "abandoned"


def test_a_step_that_is_never_done_is_too_late(here: Context, staging: Account) -> None:
    with pytest.raises(TooLate, match="Name it"):
        follow(here, staging, TopicRunbook(breaks_at="too late"))

    assert steps(here)[-1] == ("Name it", "failed")
    assert open_run(here) is not None


def test_an_untagged_target_refuses_it_before_anything_is_changed(here: Context, staging: Account) -> None:
    with pytest.raises(Refused, match="Environment"):
        follow(here, staging, TopicRunbook(tagged=False))

    assert topics(staging) == []
    assert here.ledger.entries() == ()


def test_a_long_step_says_how_far_it_is(
    here: Context, staging: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "EVERY_S_MIN", 0.05)
    said: list[str] = []
    with pytest.raises(TooLate):
        follow(here, staging, TopicRunbook(breaks_at="too late"), say=said.append)

    assert events(here, "runbook.progress")[-1].detail["step"] == "Name it"
    assert said[0] == "Make the topic ..."


def test_a_step_that_waits_for_an_answer_is_heard_meanwhile(
    here: Context, staging: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "EVERY_S_MIN", 0.01)
    follow(here, staging, SlowRunbook(), say=lambda line: HEARD.set() if "7.0%" in line else None)

    [*_, event] = events(here, "runbook.progress")
    assert (event.detail["step"], event.detail["percent"], event.detail["detail"]) == ("Ask", 7, "the books")


HEARD = threading.Event()


@dataclass(frozen=True, kw_only=True)
class SlowRunbook(TopicRunbook):
    """Answers only when people have heard how far it is."""

    def steps(self) -> tuple[Step, ...]:
        return (
            Step(
                name="Ask", why="", within_s=2, commands="", seen="",
                done=lambda *_: HEARD.is_set(), do=self._ask,
            ),
        )  # fmt: skip

    def _ask(self, _: Staging, state: State) -> None:
        state.progress = Progress(percent=7, detail="the books")
        assert HEARD.wait(10)


def test_the_ledger_names_only_runbooks_of_ours() -> None:
    with pytest.raises(ValueError, match="not in runbooks"):
        activities.load_runbook("os:system", {})
