"""The record keeps to its schema, whatever became of the drill."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest

import reports
from blackstart.verdict import Judgement, Measurement, Verdict
from reports.record import DISCREPANCIES_SHOWN, Record, dumps
from reports.words import interval
from tests.histories import Story
from tests.reports.drilled import SPEC, failover, told

SCHEMA = json.loads((Path(reports.__file__).parent / "record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def valid(record: Record) -> Record:
    VALIDATOR.validate(json.loads(dumps(record)))
    return record


def test_the_schema_is_one_and_allows_nothing_else() -> None:
    VALIDATOR.check_schema(SCHEMA)

    assert SCHEMA["additionalProperties"] is False
    assert set(SCHEMA["required"]) == set(SCHEMA["properties"]) == set(Record.__annotations__)


def test_a_whole_drill(tmp_path: Path) -> None:
    record = valid(told(failover(tmp_path)))

    assert record["recovery"] is not None
    assert record["objectives"][0]["name"] == "recovery time"
    assert record["fault"] == {"name": "faults.x:X", "targets": ["cluster ledger"], "injecting_s": 0.1}
    assert record["bite"]["confirmed"]
    assert record["phases"][0] == {
        "name": "baseline", "utc": "2026-01-01T00:00:00.500000+00:00", "from_s": -2.5, "until_s": -0.1,
    }  # fmt: skip


def test_the_timeline_counts_from_the_injection(tmp_path: Path) -> None:
    timeline = {line["what"]: line["at_s"] for line in told(failover(tmp_path))["timeline"]}

    assert timeline["injecting X into cluster ledger"] == 0
    assert timeline["alarm 5xx: ALARM"] == 1
    assert 2 < timeline["SERVICE HELD AGAIN, by what the load saw"] < 2.1


def test_what_nobody_knows_is_null(tmp_path: Path) -> None:
    history = Story(tmp_path).request(1.0).fault(2.0).request(3.0).tell()

    record = valid(told(history))

    assert record["recovery"] is not None
    assert record["recovery"]["high"] is None
    assert record["verdict"] == "UNKNOWN"


def test_what_never_comes_is_no_number_but_known(tmp_path: Path) -> None:
    history = failover(tmp_path)
    never = Measurement(
        low=math.inf, high=math.inf, unit="s", samples=9, note="never, for the runbook failed"
    )
    judgement = Judgement(objective=SPEC.recovery, measurement=never, verdict=Verdict.FAILED)

    record = valid(told(history, judgements=(judgement,)))

    assert record["objectives"][0]["measured"]["never"]
    assert interval(record["objectives"][0]["measured"]) == "never"
    assert "never" not in told(history)["objectives"][0]["measured"]


@pytest.mark.parametrize(
    "story", [Story.tell, lambda story: story.request(1.0).tell()], ids=["empty", "no fault"]
)
def test_a_drill_that_was_stopped_before_anything_happened(tmp_path: Path, story: object) -> None:
    history = story(Story(tmp_path))  # type: ignore[operator]

    record = valid(told(history, judgements=(), verdict=Verdict.UNKNOWN, reasons=["stopped: SIGINT"]))

    assert (record["fault"], record["recovery"], record["objectives"]) == (None, None, [])
    assert record["bite"] == {"confirmed": False, "evidence": "nobody looked"}
    assert record["reasons"] == ["stopped: SIGINT"]


def test_only_the_first_discrepancies_are_listed(tmp_path: Path) -> None:
    wrong = [{"kind": "acknowledged, and gone", "key": f"r-0-{n}", "detail": "1 cent"} for n in range(30)]

    record = valid(told(failover(tmp_path), discrepancies=wrong))

    assert (record["discrepancies"]["total"], len(record["discrepancies"]["first"])) == (
        30,
        DISCREPANCIES_SHOWN,
    )


def test_the_same_drill_gives_the_same_bytes(tmp_path: Path) -> None:
    history = failover(tmp_path)

    assert dumps(told(history)) == dumps(told(history))


def test_an_event_of_a_new_kind_is_told_as_it_is(tmp_path: Path) -> None:
    history = Story(tmp_path).event("weather", 1.0, sky="blue").event("inject.start", 2.0).tell()

    told_lines = [line["what"] for line in told(history)["timeline"]]

    assert told_lines == ["weather: sky blue", "inject.start"]
