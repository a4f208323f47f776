"""Faults of the platform itself, planted on purpose: a drill that passes with one of them is worthless.

Each is one switch. `part` says where it is planted: in the `aurora` cluster, in the `ledger`'s SQL, in
the `bank`'s tasks (or in those only that are started `later`), in `ecs`, in the load `balancer`, in
`backup`, in a `runbook`, or in the platform's own `setup` (alarms, rules, keys), as its Terraform would have
made it.
"""

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
    FAILOVER_TOO_SLOW = "failover-too-slow"
    ENDPOINT_NOT_FOLLOWING = "endpoint-not-following"
    DOUBLE_ENTRY_LOST_LEG = "double-entry-lost-leg"
    BALANCE_UPDATED_WITHOUT_ENTRY = "balance-updated-without-entry"
    LOST_UPDATES = "lost-updates"
    IDEMPOTENCY_KEY_IGNORED = "idempotency-key-ignored"
    OUTSIDE_PARTY_IN_TRANSACTION = "outside-party-in-transaction"
    POOL_NEVER_RECONNECTS = "pool-never-reconnects"
    CONNECTIONS_LEAK = "connections-leak"
    NO_TIMEOUT_ON_DATABASE = "no-timeout-on-database"
    EXITS_WITHOUT_DATABASE = "exits-without-database"
    BALANCES_NEED_THE_WRITER = "balances-need-the-writer"
    ACKS_BEFORE_COMMIT = "acks-before-commit"
    ACKS_IN_SPITE_OF_ERRORS = "acks-in-spite-of-errors"
    RETRY_WITHOUT_IDEMPOTENCY_KEY = "retry-without-idempotency-key"
    BALANCES_CACHED_FOR_EVER = "balances-cached-for-ever"
    STALE_CACHE_AFTER_FAILOVER = "stale-cache-after-failover"
    IGNORES_SIGTERM = "ignores-sigterm"
    NO_DRAIN_ON_SIGTERM = "no-drain-on-sigterm"
    NO_DEREGISTRATION_ON_SIGTERM = "no-deregistration-on-sigterm"
    SESSIONS_DELETED_ON_SIGTERM = "sessions-deleted-on-sigterm"
    SESSIONS_THROTTLED_AT_FIRST = "sessions-throttled-at-first"
    RECEIPTS_LOST_ON_SIGTERM = "receipts-lost-on-sigterm"
    RECEIPTS_BEFORE_COMMIT = "receipts-before-commit"
    RECEIPTS_SHARE_NAMES = "receipts-share-names"
    DELETES_RECEIPTS_ON_RETRY = "deletes-receipts-on-retry"
    HEALTH_CHECK_ALWAYS_OK = "health-check-always-ok"
    STARTS_SLOWLY = "starts-slowly"
    FAILS_TO_START = "fails-to-start"
    TASKS_IN_ONE_AZ = "tasks-in-one-az"
    NO_ON_DEMAND_BASE = "no-on-demand-base"
    NO_FALLBACK = "no-fallback"
    NO_REPLACEMENT_OF_TASKS = "no-replacement-of-tasks"
    STOP_TIMEOUT_TOO_SHORT = "stop-timeout-too-short"
    REGISTERED_BEFORE_READY = "registered-before-ready"
    SLOW_HEALTH_CHECK = "slow-health-check"
    ALARMS_DELETED = "alarms-deleted"
    ALARM_ACTIONS_DISABLED = "alarm-actions-disabled"
    SNS_TOPIC_WITHOUT_SUBSCRIBER = "sns-topic-without-subscriber"
    ALARM_TREATS_MISSING_AS_GOOD = "alarm-treats-missing-as-good"
    ALARM_NEEDS_TEN_MINUTES = "alarm-needs-ten-minutes"
    PLACEMENT_RULE_DISABLED = "placement-rule-disabled"
    SPOT_RULE_DISABLED = "spot-rule-disabled"
    BACKUP_KEY_DISABLED = "backup-key-disabled"
    BACKUP_TAG_MISSPELT = "backup-tag-misspelt"
    WAL_ARCHIVING_STOPPED = "wal-archiving-stopped"
    BACKUP_MISSES_A_TABLE = "backup-misses-a-table"
    RESTORE_MISSES_A_TABLE = "restore-misses-a-table"
    RESTORES_WRONG_INSTANT = "restores-wrong-instant"
    BACKUPS_STOPPED = "backups-stopped"
    COPIES_STOPPED = "copies-stopped"
    NO_COPIES = "no-copies"
    RESTORE_JOB_LIES = "restore-job-lies"
    VERIFICATION_TRUSTS_JOBS = "verification-trusts-jobs"

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
    Defect.FAILOVER_TOO_SLOW: About("aurora", "A reader is promoted 45 s after the writer has died."),
    Defect.ENDPOINT_NOT_FOLLOWING: About(
        "aurora", "The cluster's endpoints stay where they are when the writer moves."
    ),
    Defect.DOUBLE_ENTRY_LOST_LEG: About(
        "ledger", "One transfer in fifty is debited, and credited without an entry."
    ),
    Defect.BALANCE_UPDATED_WITHOUT_ENTRY: About(
        "ledger", "One transfer in fifty moves balances and leaves no entry."
    ),
    Defect.LOST_UPDATES: About(
        "ledger", "Two transfers that follow each other closely overwrite each other's balance."
    ),
    Defect.IDEMPOTENCY_KEY_IGNORED: About("ledger", "Who comes again with the same key is booked again."),
    Defect.OUTSIDE_PARTY_IN_TRANSACTION: About(
        "ledger", "One transfer in ten waits for somebody else in the middle of its transaction."
    ),
    Defect.POOL_NEVER_RECONNECTS: About("bank", "The API keeps its dead connections after a failover."),
    Defect.CONNECTIONS_LEAK: About("bank", "A connection that failed is never given back to its pool."),
    Defect.NO_TIMEOUT_ON_DATABASE: About("bank", "The API waits for its database for ever."),
    Defect.EXITS_WITHOUT_DATABASE: About("bank", "A task ends when it loses a connection to its database."),
    Defect.BALANCES_NEED_THE_WRITER: About(
        "bank", "Balances are read from the writer only, past cache and reader."
    ),
    Defect.ACKS_BEFORE_COMMIT: About("bank", "The API answers 201 before the transfer is committed."),
    Defect.ACKS_IN_SPITE_OF_ERRORS: About("bank", "The API answers 201 when the database does not answer."),
    Defect.RETRY_WITHOUT_IDEMPOTENCY_KEY: About(
        "bank", "The API repeats a transfer that failed under a key of its own."
    ),
    Defect.BALANCES_CACHED_FOR_EVER: About(
        "bank", "No transfer updates the cache, and nothing in it expires."
    ),
    Defect.STALE_CACHE_AFTER_FAILOVER: About(
        "bank", "Transfers alone renew the cache, and once the writer was away they no longer do."
    ),
    Defect.IGNORES_SIGTERM: About("bank", "A task that shall stop goes on, and is killed amid its requests."),
    Defect.NO_DRAIN_ON_SIGTERM: About("bank", "A task that shall stop exits at once, amid its requests."),
    Defect.NO_DEREGISTRATION_ON_SIGTERM: About(
        "bank", "A task that shall stop ends while the load balancer still sends it requests."
    ),
    Defect.SESSIONS_DELETED_ON_SIGTERM: About(
        "bank", "A task that shall stop deletes the sessions that it opened."
    ),
    Defect.SESSIONS_THROTTLED_AT_FIRST: About(
        "bank", "The session table cannot take the first seconds of load."
    ),
    Defect.RECEIPTS_LOST_ON_SIGTERM: About(
        "bank", "A task that shall stop forgets the receipts that it has not uploaded."
    ),
    Defect.RECEIPTS_BEFORE_COMMIT: About(
        "bank", "Receipts are written for transfers that are then not booked."
    ),
    Defect.RECEIPTS_SHARE_NAMES: About("bank", "All tasks upload their receipts under the same names."),
    Defect.DELETES_RECEIPTS_ON_RETRY: About(
        "bank", "Who comes again with the same key has the receipt taken back that waits for its upload."
    ),
    Defect.HEALTH_CHECK_ALWAYS_OK: About(
        "later", "What is started later can serve nobody, and its health check says that all is well."
    ),
    Defect.STARTS_SLOWLY: About("later", "The image takes 90 s to come: what is started later serves late."),
    Defect.FAILS_TO_START: About(
        "later", "Whatever is started later crashes at once, as after a bad deployment."
    ),
    Defect.TASKS_IN_ONE_AZ: About("ecs", "The service runs in the subnet of one availability zone only."),
    Defect.NO_ON_DEMAND_BASE: About("ecs", "The service runs on Spot capacity only."),
    Defect.NO_FALLBACK: About("ecs", "Nothing places tasks on demand when there is no Spot capacity."),
    Defect.NO_REPLACEMENT_OF_TASKS: About("ecs", "Nobody replaces a task that has ended."),
    Defect.STOP_TIMEOUT_TOO_SHORT: About("ecs", "A task has no time between SIGTERM and SIGKILL."),
    Defect.REGISTERED_BEFORE_READY: About(
        "balancer", "A task gets requests as soon as it is started, before it listens."
    ),
    Defect.SLOW_HEALTH_CHECK: About(
        "balancer", "The load balancer takes more than a minute to find a target dead."
    ),
    Defect.ALARMS_DELETED: About("setup", "There is no alarm."),
    Defect.ALARM_ACTIONS_DISABLED: About("setup", "Alarms go off and tell nobody."),
    Defect.SNS_TOPIC_WITHOUT_SUBSCRIBER: About("setup", "Alarms tell a topic that nobody listens to."),
    Defect.ALARM_TREATS_MISSING_AS_GOOD: About(
        "setup", "The writer reports its own health, and its silence counts as good."
    ),
    Defect.ALARM_NEEDS_TEN_MINUTES: About(
        "setup", "The database's alarm goes off after ten minutes of bad datapoints."
    ),
    Defect.PLACEMENT_RULE_DISABLED: About(
        "setup", "Nobody hears that tasks cannot be placed: the rule is switched off."
    ),
    Defect.SPOT_RULE_DISABLED: About(
        "setup", "Nobody hears that Spot capacity is taken back: the rule is switched off."
    ),
    Defect.BACKUP_KEY_DISABLED: About(
        "setup", "The key of the other region's vault is disabled: no backup can be copied there, or read."
    ),
    Defect.BACKUP_TAG_MISSPELT: About(
        "setup", "The backup plan selects a tag that the ledger does not have."
    ),
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
    Defect.COPIES_STOPPED: About(
        "backup", "Backups were copied to the other region two hours ago, and never since."
    ),
    Defect.NO_COPIES: About("backup", "No backup was ever copied to the other region."),
    Defect.RESTORE_JOB_LIES: About(
        "backup", "Restore jobs look at no checksum, and say COMPLETED whatever came of it."
    ),
    Defect.VERIFICATION_TRUSTS_JOBS: About(
        "runbook", "Who restores asks the restored ledger nothing: a job that says COMPLETED is enough."
    ),
}


def of_part(defects: frozenset[Defect], part: str) -> tuple[str, ...]:
    """Return the names of those defects that are planted in one part of the staging, sorted."""
    return tuple(sorted(defect.value for defect in defects if defect.about.part == part))
