"""Which events a DescribeEvents call gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from staging.local.aurora.state import AuroraEvent
from staging.local.control_plane.rds.events import select

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def event(source: str, kind: Literal["db-cluster", "db-instance"], minutes_ago: int) -> AuroraEvent:
    category = "failover" if kind == "db-cluster" else "availability"
    return AuroraEvent(source, kind, "something", category, NOW - timedelta(minutes=minutes_ago), 0)


EVENTS = [
    event("ledger", "db-cluster", 90),
    event("ledger", "db-cluster", 30),
    event("ledger-1", "db-instance", 10),
]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [1, 2]),
        ({"Duration": 120}, [0, 1, 2]),
        ({"SourceType": "db-cluster"}, [1]),
        ({"SourceType": "db-instance", "SourceIdentifier": "ledger-2"}, []),
        ({"EventCategories": ["availability"]}, [2]),
        ({"StartTime": NOW - timedelta(minutes=100), "EndTime": NOW - timedelta(minutes=20)}, [0, 1]),
        ({"StartTime": (NOW - timedelta(minutes=20)).replace(tzinfo=None)}, [2]),
    ],
)
def test_events_are_selected_by_time_source_and_category(asked: dict[str, Any], expected: list[int]) -> None:
    assert select(EVENTS, asked, NOW) == [EVENTS[index] for index in expected]
