"""The parts of the report say what the record says: answers, alarms, deviations, cost, numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from blackstart.verdict import Verdict
from reports import cost, deviations, glance, noticed, pictures, strips, words
from tests.histories import Story
from tests.reports.drilled import FACTS, failover, told

if TYPE_CHECKING:
    from pathlib import Path

    from reports.record import Record


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return told(failover(tmp_path_factory.mktemp("history")))


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def test_the_first_screen_answers_what_broke_how_fast_it_came_back_and_what_was_lost(record: Record) -> None:
    text = plain(glance.tiles(record))

    assert "Yes, within 2.1\xa0s" in text  # rounded up
    assert "Promised: at most 30 s." in text
    assert "An alarm, within 1.0\xa0s" in text
    unanswered = record["load"]["failed"] + record["load"]["unknown"]
    assert f"{unanswered:,} of {record['load']['requests']:,} requests had no good answer" in text


def test_a_service_that_was_not_seen_to_come_back_is_not_said_to_have(tmp_path: Path) -> None:
    text = plain(glance.tiles(told(failover(tmp_path, down_s=40.0))))

    assert "Yes" not in text
    assert re.search(r"Not within \d+ s|Not seen to", text)


def test_nothing_is_answered_for_a_drill_that_injected_nothing(tmp_path: Path) -> None:
    record = told(Story(tmp_path).tell(), judgements=(), verdict=Verdict.UNKNOWN, reasons=["stopped: SIGINT"])
    text = plain(glance.tiles(record))

    assert all(answer in text for answer in ("Nothing", "Not judged", "stopped: SIGINT", "Not known"))
    assert strips.recovery(record) is None
    assert strips.trend(record) is None


def test_a_fault_reads_as_words() -> None:
    assert glance.plain("faults.aurora_writer_crash:AuroraWriterCrash") == "Aurora writer crash"


@pytest.mark.parametrize(
    ("high", "said"),
    [(2.04, "within 2.1\xa0s"), (2.0, "within 2.0\xa0s"), (0.0, "within 0.0\xa0s"), (None, "not measured")],
)
def test_one_number_is_never_better_than_it_is(high: float | None, said: str) -> None:
    assert words.within({"low": 0.0, "high": high, "unit": "s", "samples": 1, "note": ""}) == said


def test_each_time_that_an_alarm_went_off_is_recorded(tmp_path: Path) -> None:
    story = Story(tmp_path).event("alarms.watched", 0.0, names=["5xx", "slow"])
    story.event("alarm", 1.0, name="5xx", state="ALARM").fault(2.0)
    for at, state in ((3.0, "ALARM"), (4.0, "OK"), (5.0, "ALARM")):
        story.event("alarm", at, name="5xx", state=state)
    record = told(story.request(6.0).tell())

    assert record["alarms"] == {
        "watched": ["5xx", "slow"],
        "rung": [{"name": "5xx", "on_s": 1.0, "off_s": 2.0}, {"name": "5xx", "on_s": 3.0, "off_s": None}],
    }
    text = plain(noticed.section(record))
    assert "Silent throughout: slow." in text
    assert "not while we watched" in text


def test_a_drill_as_planned_has_no_deviations(record: Record) -> None:
    clean = {**record, "code": {"commit": "c", "tree": "clean"}}
    clean["staging"] = {**record["staging"], "defects": []}

    assert deviations.deviations(clean) == ()  # type: ignore[arg-type]


def test_every_departure_from_the_plan_is_told(tmp_path: Path) -> None:
    story = Story(tmp_path).fault(1.0).event("watch.blind", 1.5, error="x")
    story.event("bite", 2.0, confirmed=False, evidence="it still answers")
    story.event("runbook.start", 3.0, runbook="r:R", resumed=False)
    step = {"runbook": "r", "step": "Choose", "seconds": 1.0, "outcome": "went back", "detail": "rotten"}
    story.event("runbook.step", 4.0, **step)
    story.event("runbook.end", 5.0, outcome="failed: TooLate", seconds=1.0)
    facts = replace(FACTS, defects=("async-standby",))
    code = {"commit": "c0ffee", "tree": "dirty"}

    found = " ".join(
        deviations.deviations(told(story.request(6.0).tell(), facts=facts, code=code, reasons=["a doubt"]))
    )

    for part in (
        "a doubt", "it still answers", "c0ffee", "async-standby", "'Choose' went back: rotten",
        "runbook failed: TooLate", "could not look 1 times",
    ):  # fmt: skip
        assert part in found


def test_the_cost_says_that_money_was_not_measured_on_aws(record: Record) -> None:
    on_aws = {**record, "staging": {**record["staging"], "isolation": "aws"}}

    assert "none: this staging is a double" in cost.section(record)
    assert "not measured by the drill" in cost.section(on_aws)  # type: ignore[arg-type]


def test_the_phases_hold_every_request_and_each_step_of_the_chart_is_a_row(tmp_path: Path) -> None:
    history = failover(tmp_path)
    drawn = pictures.of(told(history), history)

    assert drawn is not None
    assert drawn.step_by_step.count("<tr>") == drawn.csv.count("\n")
    counts = re.findall(r'data-of="requests">([\d,]+)<', drawn.by_phase)
    phases = [event.at_ns for event in history.events if event.kind == "phase"]
    assert sum(int(count.replace(",", "")) for count in counts) == int(
        (history.requests.intended_ns >= min(phases)).sum()
    )


def test_the_small_pictures_are_svg_the_same_each_time_and_say_what_they_show(tmp_path: Path) -> None:
    history = failover(tmp_path)
    before = [told(history, run=f"a-{n}") for n in range(3)]
    record = told(history, earlier=before)

    for draw in (strips.recovery, strips.trend):
        drawn = draw(record)
        assert drawn is not None
        assert ET.fromstring(drawn[0]).tag.endswith("svg")  # noqa: S314 - our own picture
        assert drawn == draw(record)
    assert "first alarm after 1.00 s" in (strips.recovery(record) or (b"", ""))[1]
    assert "4 runs" in (strips.trend(record) or (b"", ""))[1]
