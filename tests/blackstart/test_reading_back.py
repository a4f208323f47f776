"""What people restored elsewhere is read back before healing leads customers home; all else after it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from moto import mock_aws

from blackstart import conductor, observe, wiring
from blackstart.context import Context
from blackstart.history import EventLog, History
from blackstart.underway import Underway
from catalogue import DRILLS
from reports.evidence import histories

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.parts import Drill
    from blackstart.staging import Staging


@dataclass
class Part:
    """As much of a drill as it takes, and in which order its parts were called."""

    spec: DrillSpec
    folder: Path
    called: list[str] = field(default_factory=list)

    @property
    def view(self) -> Any:
        return SimpleNamespace(say=lambda _: None, phase=lambda _: None)

    @property
    def load(self) -> Any:
        return SimpleNamespace(stop=lambda: self._note("load stopped"))

    @property
    def safety(self) -> Any:
        return SimpleNamespace(watchdog=SimpleNamespace(promise=lambda _: None))

    def read_back(self) -> None:
        self._note("read back")

    def _note(self, what: str) -> None:
        self.called.append(f"{what}, {'healing' if (self.folder / observe.HELD).exists() else 'broken'}")


@pytest.mark.parametrize(
    ("name", "called"),
    [("region-loss", ["load stopped, broken", "read back, broken"]), ("backup-restore", [])],
)
def test_only_where_the_region_is_lost_it_is_read_back_before_the_word_to_heal(
    tmp_path: Path, name: str, called: list[str]
) -> None:
    events = EventLog(tmp_path / "history")
    one = Underway(events=events, recent=cast("Any", SimpleNamespace(held_since=lambda since: since)))
    one.injected_ns = 1
    part = Part(DRILLS[name], tmp_path)

    assert conductor._service_held(cast("Drill", part), one, 5)

    events.close()
    assert part.called == called
    assert one.read is bool(called)
    assert (tmp_path / observe.HELD).exists()
    assert (History(tmp_path / "history").event("load.stop") is not None) is bool(called)


class EmptyBank(BaseHTTPRequestHandler):
    """A bank whose books hold nothing."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"transfers": [], "next": None, "accounts": []}).encode())

    def log_message(self, *_: object) -> None:
        pass


@mock_aws
@pytest.mark.parametrize(
    ("drill", "files"), [("az-loss", ["final.jsonl", "receipts.jsonl"]), ("region-loss", ["final.jsonl"])]
)
def test_each_file_that_was_read_back_is_told_to_the_chain_with_its_hash(
    tmp_path: Path, drill: str, files: list[str]
) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="receipts-1")
    context = Context(home=str(tmp_path), drill="r-1", folder=str(tmp_path))
    context.history.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), EmptyBank) as bank:
        thread = threading.Thread(target=bank.serve_forever, args=(0.01,))
        thread.start()
        facts = SimpleNamespace(base_url=f"http://127.0.0.1:{bank.server_port}", account="1")
        staging = cast("Staging", SimpleNamespace(facts=facts, aws=lambda _: s3))
        view = cast("Any", SimpleNamespace(say=pytest.fail))
        wiring.read_back(DRILLS[drill], context, staging, view, since=datetime.now(UTC))
        bank.shutdown()
        thread.join()

    notes: list[str] = []
    assert list(histories.problems(tmp_path, "r-1", is_sealed=False, notes=notes)) == []
    assert [note for note in notes if "read back" in note] == [
        f"{name}: is what was read back" for name in files
    ]
    for name in files:
        with (context.history / name).open("ab") as file:
            file.write(b"\n")
    edited = histories.problems(tmp_path, "r-1", is_sealed=False, notes=notes)
    assert [one.where for one in edited] == [f"history/{name}" for name in files]
