"""Whole drills must fit into a window, by the clocks of its zone, and may touch no freeze."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from blackstart.windows import Calendar, Freeze, Window

BERLIN = ZoneInfo("Europe/Berlin")
WORK = Window(days=("tue", "wed"), begin=time(9), end=time(16), zone=BERLIN)
NIGHT = Window(days=("tue",), begin=time(22), end=time(4), zone=BERLIN)
FREEZE = Freeze(
    begin=datetime.fromisoformat("2026-11-24T12:00:00+01:00"),
    end=datetime.fromisoformat("2026-11-24T13:00:00+01:00"),
    why="a release",
)


def at(utc: str) -> datetime:
    return datetime.fromisoformat(f"2026-{utc}+00:00")


@pytest.mark.parametrize(
    ("first", "last", "fits"),
    [
        ("11-24T08:00", "11-24T09:00", True),  # a Tuesday, 09:00 in Berlin
        ("11-24T07:59", "11-24T09:00", False),
        ("11-24T14:30", "11-24T15:00", True),
        ("11-24T14:30", "11-24T15:01", False),  # it would still be healing at 16:00
        ("11-23T10:00", "11-23T10:05", False),  # a Monday
        ("11-24T10:00", "11-25T10:00", False),  # two windows, and a night between them
        ("07-21T07:00", "07-21T07:30", True),  # summer: 09:00 in Berlin is 07:00 in UTC
        ("07-21T06:59", "07-21T07:30", False),
    ],
)
def test_a_window_by_the_clocks_of_its_zone(first: str, last: str, fits: bool) -> None:
    refusal = Calendar(windows=(WORK,)).refusal(at(first), at(last))

    assert (refusal is None) is fits


@pytest.mark.parametrize(
    ("first", "last", "fits"),
    [
        ("11-24T21:00", "11-24T23:30", True),
        ("11-25T00:30", "11-25T03:00", True),  # begun yesterday
        ("11-25T02:30", "11-25T03:01", False),
        ("11-24T02:00", "11-24T02:30", False),  # Monday's night
    ],
)
def test_a_window_over_midnight(first: str, last: str, fits: bool) -> None:
    assert (Calendar(windows=(NIGHT,)).refusal(at(first), at(last)) is None) is fits


@pytest.mark.parametrize(
    ("first", "last", "free"),
    [
        ("11-24T10:00", "11-24T11:00", True),
        ("11-24T10:00", "11-24T11:01", False),
        ("11-24T11:59", "11-24T12:30", False),
        ("11-24T12:00", "11-24T12:30", True),
    ],
)
def test_no_moment_of_a_freeze_may_be_touched(first: str, last: str, free: bool) -> None:
    refusal = Calendar(freezes=(FREEZE,)).refusal(at(first), at(last))

    assert (refusal is None) is free
    assert refusal is None or "a release" in refusal


def test_without_a_calendar_every_time_is_allowed() -> None:
    assert Calendar().refusal(at("01-01T00:00"), at("12-31T00:00")) is None
