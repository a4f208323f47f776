"""Watches alarms and the shape of staging while a drill runs, and writes down what changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from blackstart.history import EventLog
    from blackstart.staging import Staging

_EVERY_S = 1.0


class Watch:
    """Polls once a second in a thread of its own. `observe` maps a name to a read-only question."""

    def __init__(self, staging: Staging, observe: Mapping[str, Callable[[], object]]) -> None:
        self._staging = staging
        self._observe = dict(observe)
        self._seen: dict[str, object] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._errors = 0

    def start(self, events: EventLog) -> None:
        """Begin; the states of this moment are the ones that later ones are compared with."""
        names = sorted(alarm["AlarmName"] for alarm in self._alarms())
        events.write("alarms.watched", names=names)
        self._thread = threading.Thread(target=self._watch, args=(events,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; idempotent."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self, events: EventLog) -> None:
        while not self._ended.wait(_EVERY_S):
            self._look(events)
        self._look(events)
        events.write("alarms.unwatched", errors=self._errors)

    def _look(self, events: EventLog) -> None:
        try:
            for alarm in self._alarms():
                self._note_alarm(events, alarm)
            for name, question in self._observe.items():
                self._note(events, name, question())
        except (ClientError, BotoCoreError) as error:
            # an alarm's own time stamp tells later when it changed: a missed look costs nothing but a line
            self._errors += 1
            events.write("watch.blind", error=f"{type(error).__name__}: {error}")

    def _alarms(self) -> list[dict[str, Any]]:
        alarms: list[dict[str, Any]] = self._staging.aws("cloudwatch").describe_alarms()["MetricAlarms"]
        return alarms

    def _note_alarm(self, events: EventLog, alarm: dict[str, Any]) -> None:
        name, state, changed = alarm["AlarmName"], alarm["StateValue"], alarm["StateUpdatedTimestamp"]
        key = f"alarm {name}"
        if self._seen.get(key, (state, changed))[0] != state:  # type: ignore[index]
            events.write("alarm", at_ns=_monotonic_ns(changed), name=name, state=state, at=changed.isoformat())
        self._seen[key] = (state, changed)

    def _note(self, events: EventLog, name: str, value: object) -> None:
        if self._seen.get(name) != value:
            events.write("observation", name=name, value=value)
        self._seen[name] = value


def _monotonic_ns(moment: datetime) -> int:
    """Return an instant of the wall clock on this host's monotonic clock."""
    return time.monotonic_ns() - int((time.time() - moment.timestamp()) * 1e9)
