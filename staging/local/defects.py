"""Faults of the platform itself, planted on purpose: a drill that passes with one of them is worthless."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class About(NamedTuple):
    """Which part of the staging a defect is planted in, and what it does there."""

    part: str
    meaning: str


class Defect(StrEnum):
    """A switch of the local staging, by its name on the command line."""

    ASYNC_STANDBY = "async-standby"
    SYNCHRONOUS_COMMIT_OFF = "synchronous-commit-off"
    FAILOVER_NEVER_TRIGGERED = "failover-never-triggered"
    TASKS_IN_ONE_AZ = "tasks-in-one-az"
    POOL_NEVER_RECONNECTS = "pool-never-reconnects"
    ACKS_BEFORE_COMMIT = "acks-before-commit"

    @property
    def about(self) -> About:
        """Where it is planted, and what it does."""
        return _ABOUT[self]


_ABOUT = {
    Defect.ASYNC_STANDBY: About(
        "aurora", "The reader replicates asynchronously and late: a failover loses acknowledged writes."
    ),
    Defect.SYNCHRONOUS_COMMIT_OFF: About(
        "aurora", "Commits are acknowledged before they are on any disk: a crash loses acknowledged writes."
    ),
    Defect.FAILOVER_NEVER_TRIGGERED: About("aurora", "Nobody promotes a reader when the writer dies."),
    Defect.TASKS_IN_ONE_AZ: About("ecs", "The service runs in the subnet of one availability zone only."),
    Defect.POOL_NEVER_RECONNECTS: About("bank", "The API keeps its dead connections after a failover."),
    Defect.ACKS_BEFORE_COMMIT: About("bank", "The API answers 201 before the transfer is committed."),
}


def of_part(defects: frozenset[Defect], part: str) -> tuple[str, ...]:
    """Return the names of those defects that are planted in one part of the staging, sorted."""
    return tuple(sorted(defect.value for defect in defects if defect.about.part == part))
