"""Which recovery point to restore, and which one next when that is no good."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from blackstart.runbook import RunbookFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from blackstart.staging import Staging

NEWEST = "newest"
_RANDOM = re.compile(r"random of (\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_RESTORABLE = ("COMPLETED", "AVAILABLE")


@dataclass(frozen=True, kw_only=True)
class Point:
    """A recovery point of the ledger."""

    arn: str
    created: datetime


def of_cluster(staging: Staging, region: str, vault: str, cluster: str) -> list[Point]:
    """Return the restorable recovery points of a cluster in a vault, newest first."""
    pages = staging.aws("backup", region).get_paginator("list_recovery_points_by_backup_vault")
    found = [
        Point(arn=point["RecoveryPointArn"], created=point["CreationDate"].astimezone(UTC))
        for page in pages.paginate(BackupVaultName=vault, ByResourceType="Aurora")
        for point in page["RecoveryPoints"]
        if point["Status"] in _RESTORABLE and point["ResourceArn"].endswith(f":cluster:{cluster}")
    ]
    return sorted(found, key=lambda point: point.created, reverse=True)


def check(which: str) -> None:
    """Raise ValueError for words that choose nothing."""
    if which != NEWEST and not which.startswith("arn:") and not _RANDOM.fullmatch(which):
        raise ValueError(f"which is {which!r}: 'newest', 'random of 7d' or an ARN was expected")


def choose(points: Sequence[Point], which: str, seed: int, refused: Collection[str], now: datetime) -> Point:
    """Return the point to restore: as asked for, or the next older one than those that were refused.

    When there is none older, the newest of the others. Raises RunbookFailed when all were refused.
    """
    left = [point for point in points if point.arn not in refused]
    if not left:
        raise RunbookFailed(f"no recovery point is left of {len(points)}, {len(refused)} of them refused")
    if not refused:
        return _first(left, which, seed, now)
    # one that was refused may have been deleted since
    oldest_refused = min((point.created for point in points if point.arn in refused), default=now)
    older = [point for point in left if point.created < oldest_refused]
    return (older or left)[0]


def _first(points: Sequence[Point], which: str, seed: int, now: datetime) -> Point:
    if which == NEWEST:
        return points[0]
    if which.startswith("arn:"):
        named = [point for point in points if point.arn == which]
        if not named:
            raise RunbookFailed(f"no restorable recovery point is called {which}")
        return named[0]
    span = _span(which)
    within = [point for point in points if now - point.created <= span]
    if not within:
        raise RunbookFailed(f"no recovery point is younger than {span}")
    return random.Random(seed).choice(within)  # noqa: S311 - repeatable, not secret


def _span(which: str) -> timedelta:
    check(which)
    words: Any = _RANDOM.fullmatch(which)
    return timedelta(**{_UNITS[words[2]]: int(words[1])})
