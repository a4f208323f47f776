"""RDS events: what the fleet and the API announce, and which of it a DescribeEvents call gets."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from staging.local.aurora.state import AuroraEvent
from staging.local.control_plane.platform import arn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from staging.local.aurora.state import SourceType

_ARN_KINDS = {"db-cluster": "cluster", "db-instance": "db", "db-cluster-snapshot": "cluster-snapshot"}


class EventLog(Iterable[AuroraEvent], Protocol):
    """Where events are kept, oldest first."""

    def append(self, event: AuroraEvent, /) -> None:
        """Keep one more."""


def announce(log: EventLog, source: str, kind: SourceType, message: str, category: str) -> None:
    """Note that something happened just now."""
    log.append(AuroraEvent(source, kind, message, category, datetime.now(UTC), time.monotonic_ns()))


def select(events: Sequence[AuroraEvent], params: Mapping[str, Any], now: datetime) -> list[AuroraEvent]:
    """Return those events that a DescribeEvents call asks for; the last hour's without other wishes."""
    end = aware(params.get("EndTime")) or now
    start = aware(params.get("StartTime")) or end - timedelta(minutes=int(params.get("Duration", 60)))
    source, kind = params.get("SourceIdentifier"), params.get("SourceType")
    categories = set(params.get("EventCategories", ()))
    return [
        event
        for event in events
        if start <= event.at <= end
        and (source in (None, event.source_id))
        and (kind in (None, event.source_type))
        and (not categories or event.category in categories)
    ]


def described(event: AuroraEvent) -> dict[str, Any]:
    """Return the event as DescribeEvents writes it."""
    return {
        "SourceIdentifier": event.source_id,
        "SourceType": event.source_type,
        "Message": event.message,
        "EventCategories": [event.category] if event.category else [],
        "Date": event.at,
        "SourceArn": arn("rds", f"{_ARN_KINDS[event.source_type]}:{event.source_id}"),
    }


def aware(moment: datetime | None) -> datetime | None:
    """Return the moment as UTC, which is what a caller means who names no zone."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
