"""Watches alarms and the shape of staging while a drill runs, and writes down what changes."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        self._heard: frozenset[str] = frozenset()
        self._went_off: list[tuple[str, int]] = []

    def start(self, events: EventLog) -> None:
        """Begin; the states of this moment are the ones that later ones are compared with."""
        alarms = self._cloudwatch().describe_alarms()["MetricAlarms"]
        self._heard = heard(self._staging.aws("sns", self._region), alarms)
        names = sorted(alarm["AlarmName"] for alarm in alarms)
        events.write("alarms.watched", names=names, heard=sorted(self._heard))
        self._since = datetime.now(UTC)
        self._thread = threading.Thread(target=self._watch, args=(events,), daemon=True)
        self._thread.start()

    def told(self, name: str, since_ns: int) -> bool:
        """Tell whether an alarm whose name begins so went off since then, and somebody hears it."""
        return any(
            alarm in self._heard and alarm.startswith(name) and at_ns >= since_ns
            for alarm, at_ns in list(self._went_off)
        )

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
        at_ns = _monotonic_ns(changed)
        events.write("alarm", at_ns=at_ns, name=name, state=state, at=changed.isoformat())
        if state == "ALARM":
            self._went_off.append((name, at_ns))

    def _note(self, events: EventLog, name: str, value: object) -> None:
        if self._seen.get(name) != value:
            events.write("observation", name=name, value=value)
        self._seen[name] = value


def heard(sns: Any, alarms: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of those alarms whose actions reach a topic that somebody listens to.

    `sns` is a client of the region where the alarms are.
    """
    topics: dict[str, bool] = {}
    for alarm in alarms:
        for action in alarm["AlarmActions"] if alarm["ActionsEnabled"] else ():
            if ":sns:" in action and action not in topics:
                topics[action] = _has_subscriber(sns, action)
    return frozenset(
        alarm["AlarmName"]
        for alarm in alarms
        if alarm["ActionsEnabled"] and any(topics.get(action) for action in alarm["AlarmActions"])
    )


def _has_subscriber(sns: Any, topic: str) -> bool:
    try:
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        found = [one["SubscriptionArn"] for page in pages for one in page["Subscriptions"]]
    except sns.exceptions.NotFoundException:  # an alarm may outlive its topic, and tells nobody then
        return False
    return any(arn.startswith("arn:") for arn in found)  # else "PendingConfirmation"


def _monotonic_ns(moment: datetime) -> int:
    """Return an instant of the wall clock on this host's monotonic clock."""
    return time.monotonic_ns() - int((time.time() - moment.timestamp()) * 1e9)
