"""Writes a worker's part of the history, one line per request, so that kill -9 loses none of it."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING, Any, Final

import gevent
import orjson

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYNC_EVERY_S: Final = 1.0
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class RecorderError(Exception):
    """The history cannot be written: what follows would be load that nobody can judge."""


class Recorder:
    """Appends to `requests-<worker>.jsonl`; once a write has failed it writes no more.

    Each line is one write to the page cache, which outlives this process; a thread syncs it to the
    disk each second, and a checkpoint is written beside it: how many bytes, and their SHA-256, so that
    what a killed worker leaves can still be told from what was edited. `on_failure` is told, once, why
    writing did not work.
    """

    def __init__(self, folder: Path, worker: str, on_failure: Callable[[str], None]) -> None:
        self.is_broken = False
        self._on_failure = on_failure
        self._path = folder / f"requests-{worker}.jsonl"
        self._hash, self._bytes = hashlib.sha256(), 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # a second history in the same file could not be told from the first
            self._file = os.open(self._path, _NEW, 0o644)
            self._chain = os.open(self._path.with_suffix(".chain"), _NEW, 0o644)
        except OSError as error:
            raise RecorderError(f"cannot write {self._path}: {error.strerror}") from error
        self._syncing = gevent.spawn(self._sync_regularly)

    def write(self, line: dict[str, Any] | list[Any]) -> None:
        """Append one line, or report the failure and be broken from then on."""
        if self.is_broken:
            return
        data = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._fail(str(error.strerror))
        else:
            self._hash.update(data)
            self._bytes += len(data)
            if written != len(data):
                self._fail("the disk took only a part of a line")

    def close(self) -> None:
        """Sync and close; report it when that fails."""
        self._syncing.kill()
        self._sync()
        os.close(self._file)
        os.close(self._chain)

    def _sync_regularly(self) -> None:
        while not self.is_broken:
            gevent.sleep(SYNC_EVERY_S)
            self._sync()

    def _sync(self) -> None:
        checkpoint = {"bytes": self._bytes, "sha256": self._hash.hexdigest()}
        try:
            # in a real thread: a slow disk must not hold up requests
            gevent.get_hub().threadpool.apply(os.fdatasync, (self._file,))
            os.write(self._chain, orjson.dumps(checkpoint, option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            self._fail(str(error.strerror))

    def _fail(self, why: str) -> None:
        if not self.is_broken:
            self.is_broken = True
            self._on_failure(f"cannot write {self._path}: {why}")


def clock_pair() -> dict[str, int]:
    """Return the two clocks at one moment, so that durations can be dated."""
    return {"monotonic_ns": time.monotonic_ns(), "realtime_ns": time.time_ns()}
