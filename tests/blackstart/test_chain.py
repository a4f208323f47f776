"""A chained file notices every edit but a cut tail, survives torn writes, and takes turns."""

from __future__ import annotations

import os
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from blackstart import chain
from blackstart.history import EventLog, History

if TYPE_CHECKING:
    from pathlib import Path


def chained(path: Path, count: int) -> Path:
    file = chain.open_for_append(path)
    for number in range(count):
        chain.append(file, {"n": number})
    os.close(file)
    return path


def numbers(path: Path) -> list[int]:
    return [line["n"] for line in chain.read(path)]


def test_lines_are_read_back_in_order(tmp_path: Path) -> None:
    assert numbers(chained(tmp_path / "c", 5)) == [0, 1, 2, 3, 4]


def test_every_flipped_bit_of_every_byte_is_noticed(tmp_path: Path) -> None:
    path = chained(tmp_path / "c", 2)
    genuine = path.read_bytes()
    for position in range(len(genuine) - 1):  # without its newline the last line is torn, not wrong
        for bit in (1, 32):
            flipped = genuine[position] ^ bit
            path.write_bytes(genuine[:position] + bytes([flipped]) + genuine[position + 1 :])
            with pytest.raises(chain.ChainBroken):
                numbers(path)


@pytest.mark.parametrize("order", [[0, 2], [1, 0, 2], [1, 2], [0, 0, 1, 2]], ids=str)
def test_lines_cut_out_swapped_or_doubled_are_noticed(tmp_path: Path, order: list[int]) -> None:
    path = chained(tmp_path / "c", 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[n] for n in order))

    with pytest.raises(chain.ChainBroken):
        numbers(path)


def test_a_line_that_does_not_fit_on_the_disk_is_told_and_leaves_no_part_of_it(tmp_path: Path) -> None:
    path = chained(tmp_path / "c", 2)
    before = path.read_bytes()
    file = chain.open_for_append(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            chain.append(file, {"n": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before

    chain.append(file, {"n": 2})
    os.close(file)

    assert numbers(path) == [0, 1, 2]


def test_a_piece_cut_out_of_a_chain_is_a_chain(tmp_path: Path) -> None:
    path = chained(tmp_path / "c", 4)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:3]))

    assert [line["n"] for line in chain.read(path, first=None)] == [1, 2]


def test_a_torn_line_is_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    path = chained(tmp_path / "c", 3)
    path.write_bytes(path.read_bytes()[:-7])

    assert numbers(path) == [0, 1]

    chained(path, 1)

    assert numbers(path) == [0, 1, 0]


def test_a_line_longer_than_one_look_is_followed(tmp_path: Path) -> None:
    file = chain.open_for_append(tmp_path / "c")
    chain.append(file, {"n": 0, "long": "x" * 200_000})
    chain.append(file, {"n": 1})
    os.close(file)

    assert numbers(tmp_path / "c") == [0, 1]


def test_threads_and_logs_of_the_same_folder_take_turns(tmp_path: Path) -> None:
    logs = [EventLog(tmp_path), EventLog(tmp_path)]

    def write(log: EventLog) -> None:
        for _ in range(50):
            log.write("phase", name="x")

    threads = [threading.Thread(target=write, args=(log,)) for log in (*logs, *logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs:
        log.close()

    assert len(list(chain.read(tmp_path / "events.jsonl"))) == 200
    assert {tuple(event.detail) for event in History(tmp_path).events} == {("name",)}
