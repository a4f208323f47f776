"""A history can be followed while it is being written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from loadgen.recorder import Recorder, RecorderError
from loadgen.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

ROW: list[Any] = [1, 2, 3, "balance", "ok", "", 200, "", None, "task-1", "us-east-1a"]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_each_row_comes_once_and_a_torn_one_when_it_is_whole(tmp_path: Path) -> None:
    path, line = tmp_path / "requests-0.jsonl", json.dumps(ROW) + "\n"
    tail = Tail(tmp_path)
    assert tail.poll() == []

    append(path, '{"kind": "header", "rate": 50}\n' + line + line[:20])
    assert tail.poll() == [ROW]
    assert tail.poll() == []

    append(path, line[20:])
    append(tmp_path / "requests-1.jsonl", line)
    assert tail.poll() == [ROW, ROW]
    assert (tail.rate, tail.footers) == (50, [])

    append(path, '{"kind": "footer", "scheduled": 3}\n')
    assert tail.poll() == []
    assert [footer["scheduled"] for footer in tail.footers] == [3]
    tail.close()


def test_what_a_recorder_writes_is_there_at_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "history", "0", pytest.fail)
    tail = Tail(tmp_path / "history")
    recorder.write(ROW)

    assert tail.poll() == [ROW]
    recorder.close()
    tail.close()


def test_a_recorder_never_mixes_two_histories(tmp_path: Path) -> None:
    Recorder(tmp_path, "0", pytest.fail).close()

    with pytest.raises(RecorderError, match="File exists"):
        Recorder(tmp_path, "0", pytest.fail)


def test_a_recorder_that_cannot_write_says_so_once_and_writes_no_more(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = Recorder(tmp_path, "0", said.append)
    full, good = os.open("/dev/full", os.O_WRONLY), recorder._file
    recorder._file = full
    recorder.write(ROW)
    recorder._file = good
    recorder.write(ROW)
    recorder.close()
    os.close(full)

    assert len(said) == 1
    assert "No space left" in said[0]
    assert (tmp_path / "requests-0.jsonl").read_text() == ""
