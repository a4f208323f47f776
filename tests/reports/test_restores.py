"""What a restore did and what it lost are in the record, on the page, and one by one in a file."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from rich.console import Console

import reports
from probes.restored import lost_one_by_one
from reports import files, words
from reports.page import page
from reports.record import dumps
from reports.restores import LOST_SHOWN
from reports.screen import show
from tests.histories import Story, utc
from tests.reports.drilled import told

if TYPE_CHECKING:
    from reports.record import Record

SCHEMA = json.loads((Path(reports.__file__).parent / "record.schema.json").read_text())
COMPLETE = {"kind": "complete", "transfers": 0, "accounts": 1}
STEP = {"runbook": "r", "outcome": "done", "detail": "a <remark>"}


def restored(folder: Path, transfers: int = 30) -> tuple[Record, Story]:
    """Every transfer of seconds 1 to 9 is gone; one recovery point was refused, the next one taken."""
    story = Story(folder).fault(10.0)
    for number in range(transfers):
        story.transfer(f"r-{number}", 1 + 8 * number / transfers)
    story.event("bite", 10.5, confirmed=True, evidence="gone").event(
        "bite", 10.6, confirmed=True, evidence="rotten"
    )
    story.event("runbook.start", 11.0, runbook="runbooks.x:RestoreIt", entry="e", resumed=False)
    point = {"created_utc": utc(0.5), "restorable_utc": utc(0.5)}
    story.event("restore.point", 11.1, recovery_point="arn:bad", **point)
    story.event("restore.refused", 12.0, recovery_point="arn:bad", created_utc=utc(0.5), why="a byte")
    story.event("restore.point", 12.1, recovery_point="arn:good", **point)
    story.event("runbook.step", 13.0, step="Choose", seconds=0.5, **STEP)
    story.event("runbook.progress", 13.5, step="Copy", percent=50, detail="", elapsed_s=2.0, eta_s=2.0)
    story.event("runbook.end", 14.0, runbook="r", entry="e", outcome="finished", seconds=3.0)
    story.final = [{"kind": "account", "id": 1, "opening": 1, "balance": 1, "entries_sum": 0}, COMPLETE]
    history = story.tell()
    return told(history, lost=lost_one_by_one(history)), story


def test_the_record_holds_the_runbook_and_the_first_of_the_lost(tmp_path: Path) -> None:
    record, _ = restored(tmp_path)
    jsonschema.validate(json.loads(dumps(record)), SCHEMA)
    followed: Any = record["runbook"]

    assert (followed["name"], followed["outcome"], followed["seconds"]) == ("RestoreIt", "finished", 3.0)
    assert followed["recovery_point"] == "arn:good"
    assert followed["refused"] == [{"recovery_point": "arn:bad", "why": "a byte"}]
    assert [step["step"] for step in followed["steps"]] == ["Choose"]
    assert (record["lost"]["total"], len(record["lost"]["first"])) == (30, LOST_SHOWN)
    assert record["lost"]["first"][0]["acknowledged_s"] == -8.998
    assert record["bite"] == {"confirmed": True, "evidence": "gone; rotten"}


def test_the_timeline_says_how_far_it_was(tmp_path: Path) -> None:
    lines = [line["what"] for line in restored(tmp_path)[0]["timeline"]]

    assert "Copy: 50% after 2 s, about 2 s left" in lines
    assert "REFUSED arn:bad: a byte" in lines


def test_every_lost_transfer_is_in_a_file_of_its_own(tmp_path: Path) -> None:
    record, story = restored(tmp_path / "history")
    history = story.tell()
    files.write(record, history, tmp_path, lost_one_by_one(history))
    lines = (tmp_path / files.LOST).read_text().splitlines()

    assert lines[0] == "key,debit,credit,cents,acknowledged_s,explained"
    assert len(lines) == 31


def test_the_page_tells_both_and_escapes_them(tmp_path: Path) -> None:
    text = page(restored(tmp_path)[0], None)

    assert "RestoreIt: finished in 3.0 s" in text
    assert "a &lt;remark&gt;" in text
    assert "Acknowledged, and lost: 30" in text


def test_that_nothing_was_left_is_only_said_after_a_look(tmp_path: Path) -> None:
    def left(name: str, **seen: Any) -> str:
        story = Story(tmp_path / name).fault(1.0)
        history = (story.event("left", 2.0, **seen) if seen else story).tell()
        record = told(history)
        jsonschema.validate(json.loads(dumps(record)), SCHEMA)
        screen = Console(file=StringIO(), width=200)
        show(record, screen)
        assert words.left(record["left"]) in screen.file.getvalue()  # type: ignore[attr-defined]
        assert words.left(record["left"]) in page(record, None)
        return words.left(record["left"])

    assert left("nobody") == "NOT KNOWN: nobody looked"
    looked = "3 databases, snapshots and restore jobs in us-east-1 were held against those of before"
    seen: dict[str, Any] = {"looked_at": 3, "regions": ["us-east-1"]}
    assert left("nothing", **seen, found=[]) == f"nothing ({looked})"
    assert left("one", **seen, found=["Cluster x"]) == f"Cluster x ({looked})"


def test_a_drill_without_a_runbook_has_neither(tmp_path: Path) -> None:
    record = told(Story(tmp_path).fault(1.0).request(2.0).tell())
    jsonschema.validate(json.loads(dumps(record)), SCHEMA)

    assert (record["runbook"], record["lost"]) == (None, {"total": 0, "first": []})
    assert "Nothing: no runbook was followed." in page(record, None)
