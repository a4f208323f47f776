"""When drills may run: weekly windows and freezes, in a time zone that is named, never the machine's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_LOOKED_BACK = 1  # a window may have begun yesterday, and last over midnight


class BadCalendar(Exception):
    """It is no calendar; the message says which field, and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """On these days, from `begin` to `end` by the clocks of `zone`; over midnight if end <= begin."""

    days: tuple[str, ...]
    begin: time
    end: time
    zone: ZoneInfo

    def holds(self, first: datetime, last: datetime) -> bool:
        """Tell whether all of the time from first to last lies in one and the same window."""
        return any(begin <= first and last <= end for begin, end in self._around(first))

    def _around(self, moment: datetime) -> Iterable[tuple[datetime, datetime]]:
        today = moment.astimezone(self.zone).date()
        for back in range(_DAYS_LOOKED_BACK + 1):
            day = today - timedelta(days=back)
            if DAYS[day.weekday()] in self.days:
                last_day = day if self.end > self.begin else day + timedelta(days=1)
                yield (
                    datetime.combine(day, self.begin, self.zone),
                    datetime.combine(last_day, self.end, self.zone),
                )


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """No drill may touch any moment of it."""

    begin: datetime
    end: datetime
    why: str

    def touches(self, first: datetime, last: datetime) -> bool:
        """Tell whether any of the time from first to last is frozen."""
        return first < self.end and last > self.begin


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Without any window every time is allowed that is not frozen."""

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def refusal(self, first: datetime, last: datetime) -> str | None:
        """Say why nothing may be broken from first to last; None when it may."""
        span = f"{first:%Y-%m-%d %H:%M}Z to {last:%H:%M}Z"
        for freeze in self.freezes:
            if freeze.touches(first, last):
                return (
                    f"{span}, healing included, meets a freeze until {freeze.end.isoformat()}: {freeze.why}"
                )
        if self.windows and not any(window.holds(first, last) for window in self.windows):
            return f"{span}, healing included, fits into no change window"
        return None


def read(content: object) -> Calendar:
    """Return the calendar of a staging file's field. Raises BadCalendar."""
    fields = _mapping(content, "calendar", {"windows", "freezes"})
    return Calendar(
        windows=tuple(_window(one) for one in _list(fields.get("windows", []), "windows")),
        freezes=tuple(_freeze(one) for one in _list(fields.get("freezes", []), "freezes")),
    )


def _window(content: object) -> Window:
    fields = _mapping(content, "a window", {"days", "from", "to", "zone"}, need_all=True)
    days = _list(fields["days"], "days")
    if not days or any(day not in DAYS for day in days):
        raise BadCalendar(f"days are {fields['days']!r}, some of {', '.join(DAYS)} were expected")
    return Window(
        days=tuple(days), begin=_time(fields["from"]), end=_time(fields["to"]), zone=_zone(fields["zone"])
    )


def _freeze(content: object) -> Freeze:
    fields = _mapping(content, "a freeze", {"from", "to", "why"}, need_all=True)
    begin, end = _moment(fields["from"]), _moment(fields["to"])
    if end <= begin:
        raise BadCalendar(f"a freeze ends at {end.isoformat()}, which is not after it begins")
    return Freeze(begin=begin, end=end, why=str(fields["why"]))


def _mapping(content: object, what: str, known: set[str], *, need_all: bool = False) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise BadCalendar(f"{what} is {content!r}, a mapping with {', '.join(sorted(known))} was expected")
    unknown = sorted(map(str, set(content) - known))
    if unknown:
        raise BadCalendar(
            f"{what} has the unknown field {unknown[0]!r}; there are: {', '.join(sorted(known))}"
        )
    missing = sorted(known - set(content))
    if need_all and missing:
        raise BadCalendar(f"{what} lacks the field {missing[0]!r}")
    return content


def _list(content: object, what: str) -> list[Any]:
    if not isinstance(content, list):
        raise BadCalendar(f"{what} is {content!r}, a list was expected")
    return content


def _time(content: object) -> time:
    # YAML reads 09:00 without quotes as a number of base 60
    if not isinstance(content, str):
        raise BadCalendar(f'the time {content!r} must be written in quotes: "09:00"')
    try:
        return time.fromisoformat(content)
    except ValueError as error:
        raise BadCalendar(f'{content!r} is no time of day like "09:00"') from error


def _moment(content: object) -> datetime:
    try:
        moment = datetime.fromisoformat(content) if isinstance(content, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadCalendar(
            f'{content!r} is no moment with an offset, in quotes, like "2026-12-18T00:00:00+00:00"'
        )
    return moment


def _zone(content: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(content))
    except (ValueError, OSError, LookupError) as error:
        raise BadCalendar(f"{content!r} is no time zone like Europe/Berlin") from error
