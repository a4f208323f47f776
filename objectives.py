"""Every promise of the platform that a drill holds it to, with the clause where it is written.

The clauses are those of `platform-architecture.md`; what stands in quotes is quoted from there. Where the
document promises something without a figure, the figure is ours, and the promise says so.
"""

from __future__ import annotations

from blackstart.verdict import at_least, at_most
from probes.availability import (
    availability_after_heal,
    availability_outside,
    availability_throughout,
    reads_during_outage,
)
from probes.balance_age import balance_age
from probes.bite import unbitten
from probes.bug_gone import bug_gone
from probes.capacity import capacity_time
from probes.clock_step import clock_step
from probes.damage import bad_by_themselves, damaged_trusted
from probes.data_loss import lost_records, lost_seconds
from probes.detection_time import database_alarm, detection_time, interruption_alarm, placement_alarm
from probes.failed_requests import failed_requests
from probes.killed_tasks import killed_tasks
from probes.latency import p99
from probes.load_arrived import load_arrived
from probes.receipts import wrong_receipts
from probes.reconciliation import reconciliation
from probes.reconciliation_after_restore import reconciliation_after_restore
from probes.recovery_by_runbook import recovery_by_runbook
from probes.recovery_time import recovery_time
from probes.restored import holes, loss_by_recovery_point, work_lost
from probes.restored_time import restored_time
from probes.runbook_failures import runbook_failures

# What the platform promises

AURORA_RTO = at_most(
    30, "s", recovery_time, unaided=True, name="recovery time", clause="4.3.A",
    promise='Aurora: "auto-failover (<30s)", counted from the fault until customers are served again.',
)  # fmt: skip

AZ_RTO = at_most(
    60, "s", recovery_time, unaided=True, name="recovery time", clause="7.4, 7.3.A, 3.5",
    promise='"System stabilizes in AZ-B automatically", "seamlessly"; no figure is given for a whole AZ. 60 '
    's is ours: the database has 30 s (4.3.A), and replacement tasks start in "~30-60s" (3.5) meanwhile.',
)  # fmt: skip

NO_LOST_RECORDS = at_most(
    0, "records", lost_records, name="acknowledged transfers lost", clause="7.3.A, 4.3.A",
    promise='"Synchronous Replication (RDS)", "6-way storage replication across 3 AZs": what a customer was '
    "told is booked stays booked.",
)  # fmt: skip

NO_LOSS_IN_TIME = at_most(
    0, "s", lost_seconds, name="age of the oldest lost transfer", clause="7.3.A, 4.3.A",
    promise='"Synchronous Replication (RDS)": a failover loses nothing. The RPO of 5-30 minutes (7.3.B) is '
    "for restores.",
)  # fmt: skip

SLO = at_least(
    99.9, "%", availability_outside, unaided=True, name="availability outside the outage", clause="5.1",
    promise='The "99.9% availability SLA", before the fault and from recovery on.',
)  # fmt: skip

LATENCY = at_most(
    200, "ms", p99, unaided=True, name="latency, 99 of 100 requests", clause="4.3.C, 3.1",
    promise='The "<200ms latency requirement" under the "1,000 TPS requirement", outside the outage. That it '
    "concerns 99 of 100 requests is ours.",
)  # fmt: skip

READS_GO_ON = at_least(
    99, "%", reads_during_outage, name="balances served while the writer is away", clause="4.3.A",
    promise='"Read-only mode if writer fails (until failover completes)": read-only, not down. 99 % is ours.',
)  # fmt: skip

OTHER_AZ_GOES_ON = at_least(
    25, "%", reads_during_outage, name="balances served while the AZ is lost", clause="7.3.A, 2.7",
    promise='"If one AZ dies, valid traffic continues to the other AZ", "50% capacity loss". 25 % is ours: '
    "half of that half, for health checks take a while.",
)  # fmt: skip

DETECTED = at_most(
    60, "s", detection_time, unaided=True, name="first alarm", clause="5.3.B",
    promise='Alarms enable "proactive response to failures before users report them". 60 s is ours.',
)  # fmt: skip

DATABASE_ALARM = at_most(
    60, "s", database_alarm, unaided=True, name="alarm of the database", clause="5.3.B",
    promise='"Enables proactive response to failures before users report them": the alarm that names the '
    "database, not only one that counts errors. 60 s is ours.",
)  # fmt: skip

BALANCES_FRESH = at_most(
    15, "s", balance_age, name="age of the oldest balance shown", clause="4.6, 4.4",
    promise='"TTL: Use Time-To-Live on DynamoDB and Redis to auto-expire stale data": no balance is shown '
    "long after a newer one was. 15 s is ours; the cache keeps a balance for 10.",
)  # fmt: skip

RECEIPTED = at_most(
    0, "receipts", wrong_receipts, name="receipts missing or for nothing", clause="4.4, 4.3.D",
    promise='"Async upload of transaction receipt", kept for "7-year retention": later, but every one.',
)  # fmt: skip

RECONCILED = at_most(
    0, "discrepancies", reconciliation, name="discrepancies in the books", clause="4.1, 4.3.A",
    promise='"The system of record for all financial transactions" with "ACID transactions": money is '
    "conserved, and every acknowledged transfer is there exactly once.",
)  # fmt: skip

RETURN_IS_QUIET = at_least(
    99.9, "%", availability_after_heal, name="availability while the AZ returns", clause="5.1, 7.3.A",
    promise='"99.9% availability" also while the lost AZ comes back: nothing may break then. That it holds '
    "for the return is ours.",
)  # fmt: skip

# What the platform promises when it has to be restored

RESTORE_RTO = at_most(
    300, "s", recovery_time, unaided=True, name="recovery time", clause="7.3.C, 7.6",
    promise='"Predictable recovery times". No figure is given: 300 s is ours, for a ledger of this size.',
)  # fmt: skip

REWIND_RTO = at_most(
    300, "s", restored_time, name="time until rewound", clause="7.3.C, 7.7",
    promise='"Predictable recovery times", "to rewind time". No figure is given: 300 s is ours.',
)  # fmt: skip

RESTORE_RPO = at_most(
    1800, "s", loss_by_recovery_point, name="age of the restored data at the fault", clause="7.3.B",
    promise='"RPO (Recovery Point Objective) of < 5-30 minutes": 30 minutes from the "last snapshot".',
)  # fmt: skip

REWIND_RPO = at_most(
    300, "s", work_lost, name="acknowledged work lost by rewinding", clause="7.3.B, 7.7",
    promise='"RPO [...] of < 5-30 minutes": 5 from the "transaction log", counted until it is rewound.',
)  # fmt: skip

NO_HOLES = at_most(
    0, "records", holes, name="transfers lost without need", clause="7.3.B",
    promise='"Data loss limited to the time since last snapshot/transaction log": what is older is there.',
)  # fmt: skip

RECONCILED_AFTER_RESTORE = at_most(
    0, "discrepancies", reconciliation_after_restore, name="discrepancies after the restore", clause="7.6",
    promise='"Frequently test restoring backups to ensure they are valid": but for what is newer than the '
    "recovery point, the books agree with what customers were told, and with themselves.",
)  # fmt: skip

BUG_GONE = at_most(
    0, "rows", bug_gone, name="rows of the bug that are left", clause="7.7, 4.6",
    promise='Against a logic bug that "deletes data in both AZs", PITR is there "to rewind time".',
)  # fmt: skip

RUNBOOK_WORKS = at_most(
    0, "runbooks", runbook_failures, unaided=True, name="runbooks that got stuck", clause="7.3.C, 7.2",
    promise='"Step-by-step human instructions on how to restore services": they lead to the end.',
)  # fmt: skip

BACKUPS_GOOD = at_most(
    0, "recovery points", bad_by_themselves, unaided=True, name="backups that were no good by themselves",
    clause="7.6",
    promise='"Frequently test restoring backups to ensure they are valid": what nobody has damaged is.',
)  # fmt: skip

DAMAGE_REFUSED = at_most(
    0, "recovery points", damaged_trusted, unaided=True, name="damaged recovery points trusted", clause="7.7",
    promise='"Verify backups automatically; enable checks": a corrupted backup is refused before customers '
    "are served from it.",
)  # fmt: skip

# What the platform promises when a whole region is lost

DR_RTO = at_most(
    300, "s", recovery_by_runbook, unaided=True, name="recovery time", clause="7.6, 7.3.C, 7.1",
    promise='"Cross-Region Copy [...] for true DR", "Predictable recovery times". No figure is given: 300 s '
    "are ours, as for a ledger that is lost in its own region.",
)  # fmt: skip

DR_RPO = at_most(
    1800, "s", loss_by_recovery_point, name="age of the restored copy at the fault", clause="7.3.B, 7.6",
    promise='"RPO (Recovery Point Objective) of < 5-30 minutes"; "Replicate critical backups to a different '
    'region (e.g., us-west-2)": the copy must keep it too, for it is all there is.',
)  # fmt: skip

# What the platform promises of Spot capacity

SPOT_RTO = at_most(
    30, "s", recovery_time, unaided=True, name="recovery time", clause="6.5, 6.3.B, 3.5",
    promise='"Spot interruptions can cause minor jitter (task restarts)", and no longer than one: 30 s '
    'of the "~30-60s".',
)  # fmt: skip

NO_FAILED_REQUESTS = at_most(
    0, "requests", failed_requests, name="failed requests, interruption and all", clause="3.6, 6.3.B",
    promise='"Graceful Shutdown: Handle SIGTERM signals to finish in-flight requests before task '
    'termination": of an end that is announced no customer notices anything.',
)  # fmt: skip

NONE_KILLED = at_most(
    0, "tasks", killed_tasks, name="tasks that had to be killed", clause="3.6, 6.3.B",
    promise='"Handle SIGTERM signals to finish in-flight requests before task termination": two minutes are '
    "enough for every task to end by itself.",
)  # fmt: skip

SPOT_SLO = at_least(
    99.9, "%", availability_throughout, name="availability, interruption and all", clause="5.1, 6.7",
    promise='The "99.9% availability SLA", also while Spot capacity is gone: "Use Capacity Provider Strategy '
    '(e.g., Base: 2 Fargate, Weight: 1 Spot)".',
)  # fmt: skip

REPLACED = at_most(
    60, "s", capacity_time, unaided=True, name="time until as many tasks serve as before", clause="3.5, 6.7",
    promise='New tasks start in "~30-60s", on demand if there is no Spot capacity: against "capacity loss '
    'during peak".',
)  # fmt: skip

INTERRUPTION_ALARM = at_most(
    60, "s", interruption_alarm, unaided=True, name="alarm of the interruption", clause="5.3.B, 6.3.B",
    promise='"Task termination with 2-minute warning", and alarms "before users report" it: somebody hears '
    "of the warning. 60 s is ours.",
)  # fmt: skip

PLACEMENT_ALARM = at_most(
    60, "s", placement_alarm, unaided=True, name="alarm of tasks without capacity", clause="5.3.B, 6.7",
    promise='"Capacity loss during peak" is told to somebody, "before users report" it. 60 s is ours.',
)  # fmt: skip

# What a drill owes before it may say anything about the platform

LOAD_ARRIVED = at_least(
    99.5, "%", load_arrived, name="load that arrived", clause="3.1",
    promise='The "1,000 TPS requirement" is tested only when the requests are really sent. 99.5 % is ours.',
)  # fmt: skip

CLOCK_KEPT = at_most(
    1, "s", clock_step, name="step of the wall clock", clause="5.1",
    promise='What is to be "measurable" needs a clock that nobody sets meanwhile. 1 s is ours.',
)  # fmt: skip

BITTEN = at_most(
    0, "faults", unbitten, name="faults that did not bite", clause="7.6",
    promise='"Periodically simulate AZ failure in Staging": a fault that changed nothing simulates none.',
)  # fmt: skip

PRECONDITIONS = (LOAD_ARRIVED, CLOCK_KEPT, BITTEN)
