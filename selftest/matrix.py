"""Which defect must be found by which drill, on which objective: the matrix, as data."""

from __future__ import annotations

from typing import Final

from selftest.cells import Defect, Healthy, Sabotage
from selftest.saboteur import NAMES

HEALTHY: Final = "healthy"

_LOST = "acknowledged transfers lost"
_BOOKS = "discrepancies in the books"
_RECOVERY = "recovery time"
_LATENCY = "latency, 99 of 100 requests"
_SLO = "availability outside the outage"
_ALARM = "first alarm"
_READS = "balances served while the writer is away"
_REPLACED = "time until as many tasks serve as before"
_NO_FAILURE = "failed requests, interruption and all"
_KILLED = "tasks that had to be killed"
_RETURN = "availability while the AZ returns"
_OTHER_AZ = "balances served while the AZ is lost"
_DATABASE_ALARM = "alarm of the database"
_RECEIPTS = "receipts missing or for nothing"
_AGE = "age of the oldest balance shown"
_TRUSTED = "damaged recovery points trusted"
_STUCK = "runbooks that got stuck"
_BAD_BACKUPS = "backups that were no good by themselves"

# defect, drill, the objective that it concerns
_CELLS: Final[tuple[tuple[str, str, str], ...]] = (
    # the database
    ("async-standby", "aurora-failover", _LOST),
    ("synchronous-commit-off", "aurora-writer-crash", _LOST),
    ("failover-never-triggered", "aurora-writer-crash", _RECOVERY),
    ("failover-too-slow", "aurora-writer-crash", _RECOVERY),
    ("endpoint-not-following", "aurora-failover", _RECOVERY),
    # the ledger
    ("double-entry-lost-leg", "aurora-failover", _BOOKS),
    ("balance-updated-without-entry", "aurora-writer-crash", _BOOKS),
    ("lost-updates", "aurora-failover", _BOOKS),
    ("idempotency-key-ignored", "aurora-writer-crash", _BOOKS),
    ("outside-party-in-transaction", "aurora-failover", _LATENCY),
    # the bank
    ("pool-never-reconnects", "aurora-failover", _RECOVERY),
    ("connections-leak", "az-loss", _RECOVERY),
    ("no-timeout-on-database", "az-loss", _RECOVERY),
    ("exits-without-database", "aurora-failover", _READS),
    ("balances-need-the-writer", "aurora-failover", _READS),
    ("acks-before-commit", "aurora-failover", _LOST),
    ("acks-in-spite-of-errors", "aurora-writer-crash", _LOST),
    ("retry-without-idempotency-key", "aurora-failover", _BOOKS),
    ("sessions-throttled-at-first", "aurora-failover", _SLO),
    ("receipts-before-commit", "aurora-failover", _RECEIPTS),
    ("receipts-share-names", "aurora-writer-crash", _RECEIPTS),
    ("balances-cached-for-ever", "aurora-failover", _AGE),
    ("stale-cache-after-failover", "aurora-failover", _AGE),
    ("deletes-receipts-on-retry", "aurora-failover", _RECEIPTS),
    # alarms
    ("alarms-deleted", "aurora-failover", _ALARM),
    ("alarm-actions-disabled", "aurora-failover", _ALARM),
    ("sns-topic-without-subscriber", "aurora-writer-crash", _ALARM),
    ("alarm-treats-missing-as-good", "aurora-writer-crash", _DATABASE_ALARM),
    ("alarm-needs-ten-minutes", "aurora-writer-crash", _DATABASE_ALARM),
    # a zone
    ("tasks-in-one-az", "az-loss", _OTHER_AZ),
    ("slow-health-check", "az-loss", _RECOVERY),
    ("registered-before-ready", "az-loss", _RETURN),
    ("async-standby", "az-loss", _LOST),
    # tasks that AWS takes back
    ("ignores-sigterm", "spot-interruption", _KILLED),
    ("stop-timeout-too-short", "spot-interruption", _KILLED),
    ("no-drain-on-sigterm", "spot-interruption", _NO_FAILURE),
    ("no-deregistration-on-sigterm", "spot-interruption", _NO_FAILURE),
    ("sessions-deleted-on-sigterm", "spot-interruption", _NO_FAILURE),
    ("receipts-lost-on-sigterm", "spot-interruption-all", _RECEIPTS),
    ("registered-before-ready", "spot-interruption", _NO_FAILURE),
    ("no-replacement-of-tasks", "spot-interruption", _REPLACED),
    ("starts-slowly", "spot-interruption", _REPLACED),
    ("fails-to-start", "spot-interruption-az", _REPLACED),
    ("health-check-always-ok", "spot-interruption", _RECOVERY),
    ("no-on-demand-base", "spot-interruption-all", _NO_FAILURE),
    ("no-fallback", "spot-unavailable", _REPLACED),
    ("placement-rule-disabled", "spot-unavailable", "alarm of tasks without capacity"),
    ("spot-rule-disabled", "spot-interruption", "alarm of the interruption"),
    # backups
    ("wal-archiving-stopped", "point-in-time", _STUCK),
    ("backup-misses-a-table", "backup-restore", _BAD_BACKUPS),
    ("restore-misses-a-table", "backup-restore", _STUCK),
    ("restores-wrong-instant", "point-in-time", _STUCK),  # the runbook finds what is newer, and refuses it
    ("backups-stopped", "backup-restore", "age of the restored data at the fault"),
    ("backup-tag-misspelt", "backup-restore", _STUCK),
    ("restore-job-lies+verification-trusts-jobs", "corrupted-backup", _TRUSTED),
    ("verification-trusts-jobs", "corrupted-backup-table", _TRUSTED),
    # a backup without its log or its key restores to nothing, whatever is trusted; the one before may be bad
    ("backup-misses-a-table", "corrupted-backup-wal", _BAD_BACKUPS),
    ("restore-misses-a-table", "corrupted-backup-key", _STUCK),
    # a region
    ("copies-stopped", "region-loss", "age of the restored copy at the fault"),
    ("no-copies", "region-loss", _STUCK),
    ("backup-key-disabled", "region-loss", _STUCK),
    ("alarms-deleted", "region-loss", _ALARM),
)

DEFECTS: Final = tuple(
    Defect(what=what, drill=drill, objective=objective) for what, drill, objective in _CELLS
)
SABOTAGES: Final = tuple(Sabotage(what=name, drill="aurora-failover") for name in NAMES)


def healthy(drills: tuple[str, ...], times: int) -> tuple[Healthy, ...]:
    """Return every drill so many times, in turn."""
    return tuple(
        Healthy(what=HEALTHY, drill=drill, number=number)
        for number in range(1, times + 1)
        for drill in drills
    )
