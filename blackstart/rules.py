"""What a staging's owner allows drills to do: regions, limits, times, and who must have approved."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from blackstart import windows
from blackstart.windows import BadCalendar, Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blackstart.staging import Staging

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
FIELDS = (
    "regions", "limits", "calendar", "change_calendars", "approvers", "destruction", "region_loss",
    "prices_per_hour",
)  # fmt: skip


class BadRules(Exception):
    """These are no rules; the message says which field, and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The owner's rules. The defaults are those of a staging that says nothing of its own."""

    regions: tuple[str, ...] = ()  # beside the staging's own
    targets_max: int = 12
    share_max: float = 0.5  # of a group that must carry on, taken by all faults of a drill together
    seconds_max: float = 3600.0  # of a whole drill at its worst, healing included
    calendar: Calendar = field(default_factory=Calendar)
    change_calendars: tuple[str, ...] = ()  # of SSM Change Calendar: all of them must be open
    approvers: tuple[str, ...] = ()  # fingerprints of keys; when there are any, every drill needs an approval
    destruction: bool = True  # whether faults may destroy what only a backup brings back
    region_loss: bool = False  # whether faults may take the whole region, whatever share of it that is
    prices_per_hour: dict[str, float] = field(
        default_factory=dict
    )  # by what is billed, in the owner's currency


@runtime_checkable
class Ruled(Protocol):
    """An optional power of a staging: rules of its own."""

    @property
    def rules(self) -> Rules:
        """The owner's rules."""


def of(staging: Staging) -> Rules:
    """Return the rules that hold on this staging."""
    return staging.rules if isinstance(staging, Ruled) else Rules()


def read(content: Mapping[str, Any]) -> Rules:
    """Return the rules that a staging file gives; a real account allows less by default. Raises BadRules."""
    limits = _limits(content.get("limits", {}))
    return Rules(
        regions=_strings(content, "regions", REGION, "like us-east-1"),
        targets_max=int(limits.get("targets", Rules.targets_max)),
        share_max=limits.get("share", Rules.share_max),
        seconds_max=limits.get("seconds", Rules.seconds_max),
        calendar=_calendar(content.get("calendar", {})),
        change_calendars=_strings(content, "change_calendars", re.compile(r"\S+"), "names or ARNs"),
        approvers=_strings(content, "approvers", _FINGERPRINT, "fingerprints of 64 hexadecimal digits"),
        destruction=_yes_or_no(content, "destruction"),
        region_loss=_yes_or_no(content, "region_loss"),
        prices_per_hour=_prices(content.get("prices_per_hour", {})),
    )


def _limits(content: object) -> dict[str, float]:
    known = {"targets": (1, 100), "share": (0, 1), "seconds": (1, 86400)}
    if not isinstance(content, dict) or set(content) - set(known):
        raise BadRules(f"field 'limits' is {content!r}, a mapping of {', '.join(known)} was expected")
    for name, value in content.items():
        low, high = known[name]
        if not _is_number(value) or not low <= value <= high or (name == "targets" and value != int(value)):
            raise BadRules(f"field 'limits.{name}' is {value!r}, a number from {low} to {high} was expected")
    return content


def _calendar(content: object) -> Calendar:
    try:
        return windows.read(content)
    except BadCalendar as error:
        raise BadRules(f"field 'calendar': {error}") from error


def _strings(content: Mapping[str, Any], name: str, like: re.Pattern[str], such: str) -> tuple[str, ...]:
    value = content.get(name, [])
    if not isinstance(value, list) or not all(isinstance(v, str) and like.fullmatch(v) for v in value):
        raise BadRules(f"field {name!r} is {value!r}, a list of {such} was expected")
    return tuple(value)


def _yes_or_no(content: Mapping[str, Any], name: str) -> bool:
    value = content.get(name, False)
    if not isinstance(value, bool):
        raise BadRules(f"field {name!r} is {value!r}, true or false was expected")
    return value


def _prices(content: object) -> dict[str, float]:
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and _is_number(value) and value >= 0 for name, value in content.items()
    ):
        raise BadRules(f"field 'prices_per_hour' is {content!r}, a mapping of names to prices was expected")
    return {name: float(value) for name, value in content.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
