"""Every promise of the platform that a drill holds it to, with the clause where it is written.

The clauses are those of `platform-architecture.md`; what stands in quotes is quoted from there. Where the
document promises something without a figure, the figure is ours, and the promise says so.
"""

from __future__ import annotations

from blackstart.drills import DrillSpec, Figure
from blackstart.verdict import at_least, at_most
from probes.availability import (
    availability_after_heal,
    availability_outside,
    availability_overall,
    reads_during_outage,
)
from probes.budget import budget_spent, monthly_budget_spent
from probes.data_loss import lost_records, lost_seconds
from probes.detection_time import detection_time
from probes.latency import p50, p95, p99
from probes.load_arrived import load_arrived
from probes.reconciliation import reconciliation
from probes.recovery_time import recovery_time

# What the platform promises

AURORA_RTO = at_most(
    30, "s", recovery_time, name="recovery time", clause="4.3.A",
    promise='Aurora: "auto-failover (<30s)", counted from the fault until customers are served again.',
)  # fmt: skip

AZ_RTO = at_most(
    60, "s", recovery_time, name="recovery time", clause="7.4, 7.3.A, 3.5",
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
    99.9, "%", availability_outside, name="availability outside the outage", clause="5.1",
    promise='The "99.9% availability SLA", before the fault and from recovery on.',
)  # fmt: skip

LATENCY = at_most(
    200, "ms", p99, name="latency, 99 of 100 requests", clause="4.3.C, 3.1",
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
    60, "s", detection_time, name="first alarm", clause="5.3.B",
    promise='Alarms enable "proactive response to failures before users report them". 60 s is ours.',
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

# What a drill owes before it may say anything about the platform

LOAD_ARRIVED = at_least(
    99.5, "%", load_arrived, name="load that arrived", clause="3.1",
    promise='The "1,000 TPS requirement" is tested only when the requests are really sent. 99.5 % is ours.',
)  # fmt: skip

PRECONDITIONS = (LOAD_ARRIVED,)

# The drills

FIGURES = (
    Figure(name="availability, outage and all", unit="%", probe=availability_overall),
    Figure(name="availability while and after healing", unit="%", probe=availability_after_heal),
    Figure(name="latency, 50 of 100 requests", unit="ms", probe=p50),
    Figure(name="latency, 95 of 100 requests", unit="ms", probe=p95),
    Figure(name="error budget of the drill's own length spent", unit="%", probe=budget_spent),
    Figure(name="error budget of thirty days spent", unit="%", probe=monthly_budget_spent),
)

NOT_SHOWN = (
    "One run: 59 passed in a row would show that 95 of 100 such faults end well (95 % confidence); one, 5.",
    "Production: this was a staging, with its own size, data and neighbours.",
    "People: nobody was called, nobody decided anything, no customer was informed.",
    "Card payments, e-mail and other outside parties: the load moves money between the bank's own accounts.",
)

_FAILOVER = (
    AURORA_RTO, NO_LOST_RECORDS, NO_LOSS_IN_TIME, RECONCILED, SLO, LATENCY, READS_GO_ON, DETECTED,
)  # fmt: skip

DRILLS: dict[str, DrillSpec] = {
    spec.name: spec
    for spec in (
        DrillSpec(
            name="aurora-failover",
            title="Payments go on within 30 s, and none is lost, when Aurora promotes a reader",
            experiment="experiments/aurora-failover.yaml",
            preconditions=PRECONDITIONS, objectives=_FAILOVER, recovery=AURORA_RTO, figures=FIGURES,
            not_shown=NOT_SHOWN,
        ),
        DrillSpec(
            name="aurora-writer-crash",
            title="Payments go on within 30 s, and none is lost, when the Aurora writer dies without warning",
            experiment="experiments/aurora-writer-crash.yaml",
            preconditions=PRECONDITIONS, objectives=_FAILOVER, recovery=AURORA_RTO, figures=FIGURES,
            not_shown=NOT_SHOWN,
        ),
        DrillSpec(
            name="az-loss",
            title="The bank carries on in the other AZ, and takes the first one back, when one goes dark",
            experiment="experiments/az-loss.yaml",
            preconditions=PRECONDITIONS,
            objectives=(
                AZ_RTO, NO_LOST_RECORDS, NO_LOSS_IN_TIME, RECONCILED, SLO, LATENCY, OTHER_AZ_GOES_ON,
                RETURN_IS_QUIET, DETECTED,
            ),
            recovery=AZ_RTO, figures=FIGURES, limit_s=75.0, not_shown=NOT_SHOWN,
        ),
    )
}  # fmt: skip
