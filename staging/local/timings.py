"""How fast the local staging notices and acts; every drill's record says which of these it ran on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Timings:
    """All in seconds, but for the counts."""

    name: str
    # Aurora's own watch over the writer
    probe_every_s: float
    probe_timeout_s: float
    probe_misses: int
    # the load balancer's health checks, and how long a target may finish what it has begun
    check_every_s: float
    check_timeout_s: float
    checks_to_healthy: int
    checks_to_unhealthy: int
    drain_s: float
    # ECS
    schedule_every_s: float
    grace_s: float  # after its start, before a failed health check counts
    notice_s: float  # between the load balancer's finding and ECS acting on it
    stop_timeout_s: float  # between SIGTERM and SIGKILL
    dns_ttl_s: float  # until customers follow a changed record
    rebalance_after_s: float  # an AZ must have been light for so long before tasks return to it
    # CloudWatch
    sample_every_s: float  # how often the writer is looked at; a period keeps the worst
    alarm_period_s: int
    # AWS Backup
    backup_every_s: float  # an hour of a backup plan's schedule takes so long


FAST = Timings(
    name="fast",
    probe_every_s=0.1,
    probe_timeout_s=0.3,
    probe_misses=3,
    check_every_s=1.0,
    check_timeout_s=1.0,  # shorter ones take a busy machine for a dead task
    checks_to_healthy=2,
    checks_to_unhealthy=2,
    drain_s=1.0,
    schedule_every_s=0.25,
    grace_s=20.0,
    notice_s=1.0,
    stop_timeout_s=3.0,
    dns_ttl_s=2.0,
    rebalance_after_s=5.0,
    sample_every_s=0.1,
    alarm_period_s=1,
    backup_every_s=60.0,
)

AWS_LIKE = Timings(
    name="aws-like",
    probe_every_s=1.0,
    probe_timeout_s=1.0,
    probe_misses=3,
    check_every_s=5.0,  # the shortest that an ALB allows
    check_timeout_s=2.0,
    checks_to_healthy=2,
    checks_to_unhealthy=2,
    drain_s=15.0,
    schedule_every_s=1.0,
    grace_s=30.0,
    notice_s=10.0,
    stop_timeout_s=120.0,  # the longest that ECS allows, and the warning that Spot gives
    dns_ttl_s=60.0,  # what an alias record of Route 53 has
    rebalance_after_s=60.0,
    sample_every_s=1.0,
    alarm_period_s=10,  # the shortest that CloudWatch evaluates
    backup_every_s=3600.0,
)

PROFILES = {timings.name: timings for timings in (FAST, AWS_LIKE)}
