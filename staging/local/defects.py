"""Faults of the platform itself, planted on purpose: a drill that passes with one of them is worthless."""

from __future__ import annotations

from enum import Enum


class Defect(Enum):
    """A switch of the local staging. The value is its name on the command line."""

    part: str
    meaning: str

    def __new__(cls, value: str, part: str, meaning: str) -> Defect:  # noqa: PYI034 - an enum cannot be Self
        """Keep part and meaning beside the name."""
        member = object.__new__(cls)
        member._value_ = value
        member.part, member.meaning = part, meaning
        return member

    ASYNC_STANDBY = (
        "async-standby",
        "aurora",
        "The reader replicates asynchronously and late, so a failover loses acknowledged writes.",
    )
    SYNCHRONOUS_COMMIT_OFF = (
        "synchronous-commit-off",
        "aurora",
        "Commits are acknowledged before they are on any disk, so a crash loses acknowledged writes.",
    )
    FAILOVER_NEVER_TRIGGERED = (
        "failover-never-triggered",
        "aurora",
        "Nobody promotes a reader when the writer dies.",
    )
    TASKS_IN_ONE_AZ = (
        "tasks-in-one-az",
        "ecs",
        "The service runs in the subnet of one availability zone only.",
    )
    POOL_NEVER_RECONNECTS = (
        "pool-never-reconnects",
        "bank",
        "The API's connection pool keeps its dead connections after a failover.",
    )
    ACKS_BEFORE_COMMIT = (
        "acks-before-commit",
        "bank",
        "The API answers 201 before the transfer is committed.",
    )


def of_part(defects: frozenset[Defect], part: str) -> tuple[str, ...]:
    """Return the names of those defects that concern one part of the staging, sorted."""
    return tuple(sorted(defect.value for defect in defects if defect.part == part))
