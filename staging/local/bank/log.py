"""The task's log: one JSON object a line on stdout, for what is worth knowing and never per request."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime

import orjson

QUIET_S = 1.0  # between two lines about the same dependency

_always: dict[str, str] = {}


def bind(**fields: str) -> None:
    """Add these fields to every line from now on."""
    _always.update(fields)


def event(name: str, **fields: object) -> None:
    """Write one line."""
    line = {"at": datetime.now(UTC).isoformat(), "event": name, **_always, **fields}
    sys.stdout.buffer.write(orjson.dumps(line, default=str) + b"\n")
    sys.stdout.buffer.flush()


class Dependency:
    """Something we cannot do without: says when it is lost, and when it has been back for a second."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lost_at: float | None = None
        self._failed_at = 0.0
        self._failures = 0

    def failed(self, error: BaseException) -> None:
        """Note a failure."""
        self._failed_at = time.monotonic()
        self._failures += 1
        if self._lost_at is None:
            self._lost_at = self._failed_at
            event("dependency lost", dependency=self._name, error=f"{type(error).__name__}: {error}")

    def answered(self) -> None:
        """Note a success."""
        if self._lost_at is not None and time.monotonic() - self._failed_at > QUIET_S:
            away_s = round(self._failed_at - self._lost_at, 3)
            event("dependency back", dependency=self._name, away_s=away_s, failures=self._failures)
            self._lost_at, self._failures = None, 0


class _Lines(logging.Handler):
    """What libraries log, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1]:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        event("library", logger=record.name, level=record.levelname, message=text)


def adopt_libraries() -> None:
    """Let libraries log their warnings through us."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()])
