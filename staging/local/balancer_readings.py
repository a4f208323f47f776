"""What HAProxy's statistics say, in an ALB's words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from staging.local.balancer_config import BalancerTimings
    from staging.local.balancer_runtime import Row

State = Literal["initial", "healthy", "unhealthy", "draining"]

# HAProxy's word for the last check, and the code that an ALB gives; any other is a failed check
_REASONS = {
    "L4TOUT": "Target.Timeout",
    "L7TOUT": "Target.Timeout",
    "L7STS": "Target.ResponseCodeMismatch",
}
_NOT_FAILED = ("", "INI", "L7OK")


@dataclass(frozen=True)
class Target:
    """A registered target, and the slot of HAProxy's that it has."""

    slot: int
    added_at: float
    been_healthy: bool = False
    draining_since: float | None = None


@dataclass(frozen=True)
class TargetHealth:
    """What the balancer thinks of a target; the reason is an ALB's code, empty when healthy."""

    state: State
    reason: str
    since: float  # seconds since the epoch


@dataclass(frozen=True)
class Figures:
    """What passed the ALB since the figures were last asked for."""

    seconds: float
    requests: int
    http_5xx_target: int  # answered so by a target
    http_5xx_alb: int  # answered so by the balancer itself
    latency_ms_avg: float  # until an answer began, over at most the last 1,024 requests
    latency_ms_max: float


@dataclass(frozen=True)
class Totals:
    """What passed the ALB since it started."""

    requests: int = 0
    http_5xx: int = 0
    http_5xx_target: int = 0


def totals(rows: list[Row]) -> Totals:
    """Add up the rows of the ALB: its front, its targets, its back.

    What came to the front and went elsewhere, to the other region or into the dark, this ALB never saw.
    """
    _, *servers, back = rows
    from_targets = sum(int(server["hrsp_5xx"]) for server in servers)
    return Totals(int(back["req_tot"]), int(back["hrsp_5xx"]), from_targets)


def figures(before: Totals, rows: list[Row], seconds: float) -> Figures:
    """Return what passed since `before`."""
    now, back = totals(rows), rows[-1]
    from_targets = now.http_5xx_target - before.http_5xx_target
    return Figures(
        seconds=seconds,
        requests=now.requests - before.requests,
        http_5xx_target=from_targets,
        http_5xx_alb=now.http_5xx - before.http_5xx - from_targets,
        latency_ms_avg=float(back["rtime"]),
        latency_ms_max=float(back["rtime_max"]),
    )


def health(target: Target, row: Row, timings: BalancerTimings) -> TargetHealth:
    """Judge one target by its row."""
    since = time.time() - int(row["lastchg"])
    if target.draining_since is not None:
        return TargetHealth("draining", "Target.DeregistrationInProgress", target.draining_since)
    if row["status"].startswith("UP"):
        return TargetHealth("healthy", "", since)
    last_check = row["check_status"].removeprefix("* ")  # the mark of a check under way
    if not target.been_healthy and not _overdue(target, last_check, timings):
        return TargetHealth("initial", "Elb.InitialHealthChecking", target.added_at)
    return TargetHealth("unhealthy", _REASONS.get(last_check, "Target.FailedHealthChecks"), since)


def _overdue(target: Target, last_check: str, timings: BalancerTimings) -> bool:
    """Tell whether a target that was never healthy has failed as often as one may.

    HAProxy counts failures only of servers that were up, so for the others the clock has to do.
    """
    patience_s = timings.unhealthy_threshold * (timings.check_interval_s + timings.check_timeout_s)
    return last_check not in _NOT_FAILED and time.time() - target.added_at > patience_s
