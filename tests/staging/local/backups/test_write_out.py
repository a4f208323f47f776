"""What a backup wrote goes to the disk at once, at an even pace, and is the same afterwards."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from staging.local.backups.write_out import begin_writing, write_out

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.backups.points import Progress


def test_every_file_is_still_what_was_written(tmp_path: Path) -> None:
    written = {tmp_path / f"{n}": os.urandom(200_000) for n in range(8)}
    (tmp_path / "inner").mkdir()
    written[tmp_path / "inner" / "one"] = b""
    for path, content in written.items():
        path.write_bytes(content)

    heard: list[Progress] = []

    asyncio.run(write_out(tmp_path, heard.append))

    assert {path: path.read_bytes() for path in written} == written
    assert [one.done_bytes for one in heard] == [1_200_000, 1_600_000]  # a megabyte at a time
    assert {one.total_bytes for one in heard} == {1_600_000}


def test_it_says_how_much_there_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 12_345)

    assert begin_writing(path) == 12_345
