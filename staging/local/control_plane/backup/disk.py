"""Directories of recovery points: copied as they are, owners included."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from staging.local.backups.write_out import begin_writing

if TYPE_CHECKING:
    from collections.abc import Callable


def copy_tree(
    source: Path, target: Path, on_bytes: Callable[[int], None], bytes_per_s: float = math.inf
) -> int:
    """Copy a directory, telling how many bytes are done; return how many there were."""
    done = 0
    _make(source, target)
    for folder, folders, files in os.walk(source):
        here = target / Path(folder).relative_to(source)
        for name in folders:
            _make(Path(folder) / name, here / name)
        for name in files:
            size = _copy(Path(folder) / name, here / name)
            done += size
            on_bytes(done)
            time.sleep(size / bytes_per_s)
    return done


def _make(source: Path, target: Path) -> None:
    target.mkdir()
    _like(source, target)


def _copy(source: Path, target: Path) -> int:
    shutil.copyfile(source, target)
    _like(source, target)
    return begin_writing(target)


def _like(source: Path, target: Path) -> None:
    known = source.stat()
    shutil.copystat(source, target)
    if os.geteuid() == 0:  # PostgreSQL's own user must be able to read what is its own
        os.chown(target, known.st_uid, known.st_gid)
