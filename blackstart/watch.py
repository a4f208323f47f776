"""Watches alarms and the shape of staging while a drill runs, and writes down what changes."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from blackstart.history import EventLog
    from blackstart.staging import Staging

_EVERY_S = 1.0


class Watch:
    """Polls once a second in a thread of its own. `observe` maps a name to a read-only question.

    The alarms are those of one region, the staging's own if "": one that is lost tells nobody anything.
    """

    def __init__(
        self, staging: Staging, observe: Mapping[str, Callable[[], object]], region: str = ""
    ) -> None:
        self._staging = staging
        self._region = region
        self._observe = dict(observe)
        self._seen: dict[str, object] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._errors = 0
        self._since = datetime.now(UTC)
        self._changes: set[tuple[str, datetime]] = set()

    def start(self, events: EventLog) -> None:
        """Begin; the states of this moment are the ones that later ones are compared with."""
        alarms = self._cloudwatch().describe_alarms()["MetricAlarms"]
        events.write("alarms.watched", names=sorted(alarm["AlarmName"] for alarm in alarms))
        self._since = datetime.now(UTC)
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
            for change in self._alarm_changes():
                self._note_alarm(events, change)
            for name, question in self._observe.items():
                self._note(events, name, question())
        except Exception as error:  # noqa: BLE001 - a watch that dies in silence would look like silence
            # the alarms' history tells later when one changed: a missed look costs nothing but a line
            self._errors += 1
            events.write("watch.blind", error=f"{type(error).__name__}: {error}")

    def _alarm_changes(self) -> list[dict[str, Any]]:
        """Return every change of state since the start: an alarm may come and go between two looks."""
        pages = self._cloudwatch().get_paginator("describe_alarm_history")
        return [
            item
            for page in pages.paginate(HistoryItemType="StateUpdate", StartDate=self._since)
            for item in page["AlarmHistoryItems"]
        ]

    def _cloudwatch(self) -> Any:
        return self._staging.aws("cloudwatch", self._region)

    def _note_alarm(self, events: EventLog, change: dict[str, Any]) -> None:
        name, changed = change["AlarmName"], change["Timestamp"]
        if (name, changed) in self._changes:
            return
        self._changes.add((name, changed))
        state = json.loads(change["HistoryData"])["newState"]["stateValue"]
        events.write("alarm", at_ns=_monotonic_ns(changed), name=name, state=state, at=changed.isoformat())

    def _note(self, events: EventLog, name: str, value: object) -> None:
        if self._seen.get(name) != value:
            events.write("observation", name=name, value=value)
        self._seen[name] = value


def _monotonic_ns(moment: datetime) -> int:
    """Return an instant of the wall clock on this host's monotonic clock."""
    return time.monotonic_ns() - int((time.time() - moment.timestamp()) * 1e9)
