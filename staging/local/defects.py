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
    WAL_ARCHIVING_STOPPED = "wal-archiving-stopped"
    BACKUP_MISSES_A_TABLE = "backup-misses-a-table"
    RESTORE_MISSES_A_TABLE = "restore-misses-a-table"
    RESTORES_WRONG_INSTANT = "restores-wrong-instant"
    BACKUPS_STOPPED = "backups-stopped"
    COPIES_STOPPED = "copies-stopped"
    NO_COPIES = "no-copies"
    RESTORE_JOB_LIES = "restore-job-lies"
    VERIFICATION_TRUSTS_JOBS = "verification-trusts-jobs"
    IGNORES_SIGTERM = "ignores-sigterm"
    NO_DRAIN_ON_SIGTERM = "no-drain-on-sigterm"
    NO_ON_DEMAND_BASE = "no-on-demand-base"
    NO_FALLBACK = "no-fallback"

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
    Defect.WAL_ARCHIVING_STOPPED: About(
        "aurora", "The write-ahead log is not archived any more: point-in-time recovery stands still."
    ),
    Defect.BACKUP_MISSES_A_TABLE: About("aurora", "Every backup lacks one table's rows, and says nothing."),
    Defect.RESTORE_MISSES_A_TABLE: About(
        "aurora", "Every restored cluster lacks one table's rows, and says nothing."
    ),
    Defect.RESTORES_WRONG_INSTANT: About(
        "aurora", "A restore to a point in time brings back the latest there is, whatever was asked."
    ),
    Defect.BACKUPS_STOPPED: About("backup", "The backup plan ran two hours ago, and never since."),
    Defect.COPIES_STOPPED: About("backup", "The last copy in the other region is two hours old."),
    Defect.NO_COPIES: About("backup", "The backup plan copies nothing to the other region."),
    Defect.RESTORE_JOB_LIES: About(
        "backup", "Restore jobs look at no checksum, and say COMPLETED whatever came of it."
    ),
    Defect.VERIFICATION_TRUSTS_JOBS: About(
        "runbook", "Who restores asks the restored ledger nothing: a job that says COMPLETED is enough."
    ),
    Defect.IGNORES_SIGTERM: About("bank", "A task that shall stop goes on, and is killed amid its requests."),
    Defect.NO_DRAIN_ON_SIGTERM: About("bank", "A task that shall stop exits at once, amid its requests."),
    Defect.NO_ON_DEMAND_BASE: About("ecs", "The service runs on Spot capacity only."),
    Defect.NO_FALLBACK: About("ecs", "Nothing places tasks on demand when there is no Spot capacity."),
}


def of_part(defects: frozenset[Defect], part: str) -> tuple[str, ...]:
    """Return the names of those defects that are planted in one part of the staging, sorted."""
    return tuple(sorted(defect.value for defect in defects if defect.about.part == part))
