"""Ways to break the harness that a history written by hand can show: nothing may be PASSED by them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest

from blackstart import lifeline, measuring, wiring
from blackstart.drills import judge_drill
from blackstart.verdict import Measurement, Verdict, worst
from blackstart.waiting import wait_until
from catalogue import DRILLS
from objectives import AURORA_RTO
from selftest import hands, marker, replaced, saboteur
from tests.histories import Story, steady_load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blackstart.history import History

SPEC = DRILLS["aurora-failover"]
RATE, SECONDS, FAULT_S, HEAL_S = 300.0, 40.0, 10.0, 34.0


def healthy(folder: Path, *, heal_s: float = HEAL_S, seconds: float = SECONDS) -> Story:
    """A drill in which nothing at all went wrong."""
    story = steady_load(RATE, seconds, seed=7).into(Story(folder, rate=RATE, footer=False))
    story.event("phase", 0.0, name="baseline").event("load.start", 0.0, rate=RATE, seed=7)
    story.event("alarms.watched", 0.1, names=["ledger-writer-unavailable"])
    for number in range(20):
        story.transfer(f"r-0-{number}", 1.0 + number, what=(1, 2, 100))
    story.fault(FAULT_S).event("bite", FAULT_S + 1, confirmed=True, evidence="another server answers")
    story.event("alarm", FAULT_S + 2, name="ledger-writer-unavailable", state="ALARM")
    story.healed(heal_s).event("phase", heal_s, name="heal").event("phase", seconds, name="final reads")
    story.final = [
        {
            "kind": "transfer", "key": f"r-0-{number}", "debit": 1, "credit": 2, "cents": 100, "entries": 2,
            "entries_ok": True,
        }
        for number in range(20)
    ]  # fmt: skip
    money = 20 * 100
    story.final += [
        {"kind": "account", "id": 1, "opening": 5000, "balance": 5000 - money, "entries_sum": -money},
        {"kind": "account", "id": 2, "opening": 5000, "balance": 5000 + money, "entries_sum": money},
        {"kind": "complete", "transfers": 20, "accounts": 2},
    ]
    keys = [f"r-0-{number}" for number in range(20)]
    story.receipts = [{"kind": "object", "name": "receipts/1", "keys": keys}, {"kind": "complete"}]
    story.rows.sort(key=lambda row: row[0])
    return story


def told(story: Story, *, footer: bool = True) -> History:
    if footer:
        story.rows.append({"kind": "footer", "scheduled": len(story.rows), "balances_compared": 1000})  # type: ignore[arg-type]
    return story.tell()


def verdict(history: History) -> Verdict:
    return worst(judgement.verdict for judgement in judge_drill(SPEC, history))


def test_the_story_itself_passes(tmp_path: Path) -> None:
    assert verdict(told(healthy(tmp_path))) is Verdict.PASSED


def silent_load(story: Story) -> None:
    story.rows = [row for row in story.rows if row[0] < story.events[3]["at_ns"]]


def dead_recorder(story: Story) -> None:
    story.rows = story.rows[: int(len(story.rows) * 0.6)]


def lines_lost(story: Story) -> None:
    """The load counted them to its end, and one in fifty was never written down."""
    story.rows.append({"kind": "footer", "scheduled": len(story.rows), "balances_compared": 900})  # type: ignore[arg-type]
    story.rows = [row for number, row in enumerate(story.rows) if number % 50]


def starved_generator(story: Story) -> None:
    for row in story.rows[len(story.rows) // 3 :]:
        row[1] += 2_000_000_000
        row[2] += 2_000_000_000


def stepped_clock(story: Story) -> None:
    for event in story.events[-3:]:
        event["utc"] = event["utc"].replace("2026-01-01T00", "2026-01-01T05")


def nothing_injected(story: Story) -> None:
    story.events = [event for event in story.events if not event["kind"].startswith("inject")]


def toothless_fault(story: Story) -> None:
    (bite,) = (event for event in story.events if event["kind"] == "bite")
    bite.update(confirmed=False, evidence="not within 60 s: another server answers")


def nobody_looked_for_the_bite(story: Story) -> None:
    story.events = [event for event in story.events if event["kind"] != "bite"]


def dropped_arrivals(story: Story) -> None:
    for row in story.rows[len(story.rows) // 3 :: 3]:
        if not row[7]:
            row[4:7] = ["failed", "dropped", 0]


def reads_cut_off(story: Story) -> None:
    story.final = story.final[:-2]


def watch_blinked(story: Story) -> None:
    story.events = [event for event in story.events if event["kind"] != "alarm"]
    story.event("watch.blind", FAULT_S + 1, error="AccessDenied")


@pytest.mark.parametrize(
    ("broken", "footer"),
    [
        (silent_load, False),
        (dead_recorder, False),
        (dead_recorder, True),
        (lines_lost, False),
        (starved_generator, True),
        (stepped_clock, True),
        (nothing_injected, True),
        (toothless_fault, True),
        (nobody_looked_for_the_bite, True),
        (dropped_arrivals, True),
        (reads_cut_off, True),
        (watch_blinked, True),
    ],
)
def test_a_harness_that_broke_proves_nothing(
    tmp_path: Path, broken: Callable[[Story], None], footer: bool
) -> None:
    story = healthy(tmp_path)
    broken(story)

    assert verdict(told(story, footer=footer)) is Verdict.UNKNOWN


def silent_alarms(story: Story) -> None:
    story.events = [event for event in story.events if event["kind"] != "alarm"]


def unhealed_for_long(folder: Path) -> Story:
    """A drill that was watched for as long as an alarm may take."""
    return healthy(folder, heal_s=FAULT_S + 65, seconds=FAULT_S + 71)


@pytest.mark.parametrize("broken", [toothless_fault, stepped_clock, dropped_arrivals])
def test_what_is_missed_under_a_broken_harness_is_not_held_against_the_platform(
    tmp_path: Path, broken: Callable[[Story], None]
) -> None:
    story = unhealed_for_long(tmp_path)
    silent_alarms(story)
    broken(story)
    judged = {one.objective.name: one for one in judge_drill(SPEC, told(story))}

    assert worst(one.verdict for one in judged.values()) is Verdict.UNKNOWN
    assert judged["first alarm"].verdict is Verdict.UNKNOWN
    assert judged["first alarm"].measurement.low > 60
    assert (
        "not held against the platform, for the harness fell short" in judged["first alarm"].measurement.note
    )


def test_an_alarm_that_stays_away_under_a_sound_harness_is_the_platforms_failure(tmp_path: Path) -> None:
    story = unhealed_for_long(tmp_path)
    silent_alarms(story)

    assert verdict(told(story)) is Verdict.FAILED


@pytest.mark.parametrize("broken", [toothless_fault, stepped_clock, dropped_arrivals])
def test_what_the_books_alone_prove_is_failed_under_a_broken_harness_too(
    tmp_path: Path, broken: Callable[[Story], None]
) -> None:
    story = healthy(tmp_path)
    del story.final[0]
    broken(story)

    assert verdict(told(story)) is Verdict.FAILED


def healing_failed(story: Story) -> None:
    """Healing did more harm than good: every answer that came after it began was an error."""
    started_ns = next(event["at_ns"] for event in story.events if event["kind"] == "heal.start")
    for row in story.rows:
        if row[0] >= started_ns:
            row[4:7] = ["failed", "http", 500]
    story.event("doubt", SECONDS, reason="NOT HEALED: TooLate: not within 300 s")


def test_what_healing_that_failed_has_done_is_not_held_against_the_platform(tmp_path: Path) -> None:
    story = healthy(tmp_path)
    del story.final[0]
    healing_failed(story)
    judged = {one.objective.name: one for one in judge_drill(SPEC, told(story))}

    assert worst(one.verdict for one in judged.values()) is Verdict.UNKNOWN
    assert judged["discrepancies in the books"].verdict is Verdict.UNKNOWN
    assert "while healing failed" in judged["discrepancies in the books"].measurement.note
    assert (
        judged["age of the oldest balance shown"].verdict is Verdict.UNKNOWN
    )  # it was kept, and proves nothing
    assert judged["recovery time"].verdict is Verdict.PASSED


def test_books_that_were_read_before_healing_failed_count(tmp_path: Path) -> None:
    story = healthy(tmp_path)
    del story.final[0]
    healing_failed(story)
    late = told(story)
    assert measuring.books_wrong(SPEC, late) == []

    (reads,) = (event for event in story.events if event.get("name") == "final reads")
    reads["at_ns"] = next(event["at_ns"] for event in story.events if event["kind"] == "heal.start") - 1
    early = story.tell()

    judged = {one.objective.name: one.verdict for one in judge_drill(SPEC, early)}
    assert judged["discrepancies in the books"] is Verdict.FAILED
    assert measuring.books_wrong(SPEC, early) != []


def test_what_was_missed_before_healing_failed_is_missed(tmp_path: Path) -> None:
    story = unhealed_for_long(tmp_path)
    silent_alarms(story)
    healing_failed(story)

    assert verdict(told(story)) is Verdict.FAILED


def test_a_probe_that_breaks_proves_nothing(tmp_path: Path) -> None:
    def breaks(_: object) -> Measurement:
        raise ZeroDivisionError

    spec = replace(SPEC, objectives=(replace(AURORA_RTO, probe=breaks),))

    assert worst(j.verdict for j in judge_drill(spec, told(healthy(tmp_path)))) is Verdict.UNKNOWN


@pytest.fixture
def load() -> Iterator[psutil.Process]:
    """A process that looks like a load's."""
    words = [sys.executable, "-c", "import sys, time; time.sleep(60)", "locust"]
    process = subprocess.Popen(words)
    yield psutil.Process(process.pid)
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def test_hands_find_the_load_and_nobody_else(load: psutil.Process, tmp_path: Path) -> None:
    wait_until(lambda: hands._load() == [load], within_s=5, what="the load")
    hands.stop_the_load(tmp_path)
    wait_until(lambda: load.status() == psutil.STATUS_STOPPED, within_s=5, what="it stands still")
    (tmp_path / "requests-0.jsonl").write_bytes(b"x" * 100)
    hands.fill_the_disk(tmp_path)

    assert load.rlimit(psutil.RLIMIT_FSIZE) == (100, 100)


@pytest.mark.parametrize(
    "act", [hands.stop_the_load, hands.kill_the_load, hands.fill_the_disk, hands.starve_the_load]
)
def test_hands_that_find_no_load_say_so(act: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "requests-0.jsonl").touch()

    with pytest.raises(hands.NoLoad):
        act(tmp_path)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("finds_load", [True, False])
def test_a_marker_is_left_only_by_who_has_acted(tmp_path: Path, finds_load: bool) -> None:
    history = tmp_path / "drills" / "r-1" / "history"
    history.mkdir(parents=True)
    (history / "events.jsonl").write_text('{"kind": "inject.end"}\n')
    called: list[Path] = []

    def act(at: Path) -> None:
        called.append(at)
        if not finds_load:
            raise hands.NoLoad

    threads = set(threading.enumerate())
    hands.wait_and_act(tmp_path, act, marker.leaving(tmp_path, "load-silent"))
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)

    assert called == [history]
    assert marker.was_left(tmp_path) is finds_load


def test_what_is_replaced_leaves_its_marker_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    monkeypatch.setattr(wiring, "LoadProcess", lambda _, rate: rates.append(rate))
    replaced.half_the_load(marker.leaving(tmp_path, "half-the-load"))
    assert not marker.was_left(tmp_path)
    vars(wiring)["LoadProcess"]("http://bank", 300.0)

    assert rates == [150.0]
    assert marker.was_left(tmp_path)


def test_only_the_process_of_the_experiment_is_started_differently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[list[str]] = []

    def original(argv: list[str], **_: object) -> None:
        started.append(argv)

    monkeypatch.setattr(lifeline, "start", original)
    replaced.start_experiments_through(["-m", "selftest.saboteur", "x", "y"], "blackstart.experiment")
    start: Callable[[list[str]], None] = lifeline.start  # type: ignore[assignment]
    start(["python", "-m", "blackstart.experiment", "file", "journal"])
    start(["python", "-m", "other"])

    assert started == [
        ["python", "-m", "selftest.saboteur", "x", "y", "file", "journal"],
        ["python", "-m", "other"],
    ]


def test_a_sabotage_that_is_none_runs_no_harness() -> None:
    with pytest.raises(KeyError):
        saboteur.main("tea-spilt", ["--home", "nowhere", "drill", "aurora-failover"])
