"""A missed objective is a failed test, what was not proven a broken one, and the evidence is attached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reports import files
from reports.record import dumps
from tests.reports.drilled import failover, told

ROOT = Path(__file__).parents[2]
SCENARIO = """
import json
from pathlib import Path
from reports import allure

def test_drill():
    record = json.loads(Path({record!r}).read_text())
    allure.attach(record, Path({record!r}).parent)
    allure.conclude(record)
"""


@pytest.fixture(scope="module", params=["PASSED", "FAILED", "UNKNOWN"])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a scenario with this verdict, run in a pytest of its own, leaves for Allure."""
    folder = tmp_path_factory.mktemp(request.param)
    history = failover(folder / "history")
    record = told(history)
    files.write(record, history, folder / "drill")
    record["verdict"] = record["objectives"][0]["verdict"] = request.param
    (folder / "drill" / "record.json").write_text(dumps(record))
    scenario = folder / "test_scenario.py"
    scenario.write_text(SCENARIO.format(record=str(folder / "drill" / "record.json")))
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:locust", str(scenario)]
    argv += ["--rootdir", str(folder), "--alluredir", str(folder / "allure")]
    subprocess.run(argv, cwd=ROOT, check=False, capture_output=True)
    (found,) = (folder / "allure").glob("*-result.json")
    return {"verdict": request.param, **json.loads(found.read_text())}


def test_the_verdict_decides_the_status(left: dict[str, Any]) -> None:
    assert left["status"] == {"PASSED": "passed", "FAILED": "failed", "UNKNOWN": "broken"}[left["verdict"]]


def test_the_message_says_what_was_not_kept(left: dict[str, Any]) -> None:
    message = left.get("statusDetails", {}).get("message", "")

    assert ("recovery time: 1.899 to 2.002 s, promised at most 30 s [4.3.A]" in message) == (
        left["verdict"] != "PASSED"
    )


def test_evidence_and_labels_are_there(left: dict[str, Any]) -> None:
    assert [attachment["name"] for attachment in left["attachments"]] == [
        "What happened when", "Objectives", "Availability and latency over time",
        "The numbers behind the chart", "Record", "Report",
    ]  # fmt: skip
    labels = {(label["name"], label["value"]) for label in left["labels"]}
    assert {("severity", "critical"), ("clause", "4.3.A"), ("clause", "5.1")} <= labels
    assert left["name"].startswith("Payments go on within 30 s")
