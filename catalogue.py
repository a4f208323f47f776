"""Every drill: which promises it is held to, how long it may take, and which alarms it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.drills import NOT_SHOWN, NOT_SHOWN_OF_REGIONS, DrillSpec
from objectives import (
    AURORA_RTO,
    AZ_RTO,
    BACKUPS_GOOD,
    BALANCES_FRESH,
    BUG_GONE,
    DAMAGE_REFUSED,
    DATABASE_ALARM,
    DETECTED,
    DR_RPO,
    DR_RTO,
    INTERRUPTION_ALARM,
    LATENCY,
    NO_FAILED_REQUESTS,
    NO_HOLES,
    NO_LOSS_IN_TIME,
    NO_LOST_RECORDS,
    NONE_KILLED,
    OTHER_AZ_GOES_ON,
    PLACEMENT_ALARM,
    PRECONDITIONS,
    READS_GO_ON,
    RECEIPTED,
    RECONCILED,
    RECONCILED_AFTER_RESTORE,
    REPLACED,
    RESTORE_RPO,
    RESTORE_RTO,
    RETURN_IS_QUIET,
    REWIND_RPO,
    REWIND_RTO,
    RUNBOOK_WORKS,
    SLO,
    SPOT_RTO,
    SPOT_SLO,
)
from probes.figures import FIGURES, FIRST_ALARM, LOST, WHILE_HEALING, without

if TYPE_CHECKING:
    from blackstart.verdict import Objective

_ALWAYS = (NO_LOST_RECORDS, NO_LOSS_IN_TIME, RECONCILED, SLO, LATENCY)
_FAILOVER = (AURORA_RTO, *_ALWAYS, RECEIPTED, READS_GO_ON, BALANCES_FRESH, DETECTED, DATABASE_ALARM)
_AZ_LOSS = (AZ_RTO, *_ALWAYS, OTHER_AZ_GOES_ON, RETURN_IS_QUIET, BALANCES_FRESH, DETECTED, DATABASE_ALARM)
_RESTORE = (
    RUNBOOK_WORKS, RESTORE_RTO, RESTORE_RPO, BACKUPS_GOOD, NO_HOLES, RECONCILED_AFTER_RESTORE, SLO, LATENCY,
    DETECTED,
)  # fmt: skip
_REWIND = (
    RUNBOOK_WORKS, REWIND_RTO, REWIND_RPO, BUG_GONE, NO_HOLES, RECONCILED_AFTER_RESTORE, SLO, LATENCY,
)  # fmt: skip
_REGION_LOSS = (RUNBOOK_WORKS, DR_RTO, DR_RPO, NO_HOLES, RECONCILED_AFTER_RESTORE, SLO, LATENCY, DETECTED)
_SPOT = (
    SPOT_RTO, NO_FAILED_REQUESTS, NONE_KILLED, SPOT_SLO, REPLACED, NO_LOST_RECORDS, NO_LOSS_IN_TIME,
    RECONCILED, RECEIPTED, LATENCY, BALANCES_FRESH, DETECTED, INTERRUPTION_ALARM,
)  # fmt: skip


# what the names of alarms begin with that a drill waits for, for as long as they may take
_OF_THE_DATABASE, _OF_INTERRUPTIONS = ("ledger-writer-unavailable",), ("bank-api-spot-interrupted",)


def _drill(
    name: str, title: str, objectives: tuple[Objective, ...], recovery: Objective, **more: Any
) -> DrillSpec:
    return DrillSpec(
        name=name, title=title, experiment=f"experiments/{name}.yaml", preconditions=PRECONDITIONS,
        objectives=objectives, recovery=recovery, **{"figures": FIGURES, "not_shown": NOT_SHOWN, **more},
    )  # fmt: skip


def _restore(name: str, title: str, baseline_s: float, *more: Objective) -> DrillSpec:
    # the load lasts as long as it takes until there are backups with something of it in them
    return _drill(
        name, title, (*more, *_RESTORE), RESTORE_RTO, figures=(LOST, *FIGURES), restores=True,
        baseline_s=baseline_s, limit_s=360.0,
    )  # fmt: skip


def _spot(
    name: str, title: str, *more: Objective, tasks: int = 4, alarms: tuple[str, ...] = _OF_INTERRUPTIONS
) -> DrillSpec:
    # half the load: two cores serve, and start tasks at the same time
    return _drill(
        name, title, (*_SPOT, *more), SPOT_RTO, limit_s=75.0, until_whole=True, rate=500.0, tasks=tasks,
        alarms=alarms,
    )  # fmt: skip


DRILLS: dict[str, DrillSpec] = {
    spec.name: spec
    for spec in (
        _drill(
            "aurora-failover", "Payments go on within 30 s, and none is lost, when Aurora promotes a reader",
            _FAILOVER, AURORA_RTO, alarms=_OF_THE_DATABASE,
        ),
        _drill(
            "aurora-writer-crash",
            "Payments go on within 30 s, and none is lost, when the Aurora writer dies without warning",
            _FAILOVER, AURORA_RTO, alarms=_OF_THE_DATABASE,
        ),
        _drill(
            "az-loss",
            "The bank carries on in the other AZ, and takes the first one back, when one goes dark",
            _AZ_LOSS, AZ_RTO, limit_s=75.0, alarms=_OF_THE_DATABASE,
        ),
        _restore(
            "backup-restore",
            "The ledger comes back whole from its backup, but for the last minutes, when it is lost", 45,
        ),
        _drill(
            "point-in-time",
            "The ledger is rewound to just before a logic bug, and nothing of the bug is left",
            _REWIND, REWIND_RTO, restores=True, baseline_s=15.0, limit_s=360.0, alarms=(),
            figures=(LOST, FIRST_ALARM, *FIGURES),
        ),
        *(
            _restore(name, f"A backup {such} is found out, and an older one used", 75, DAMAGE_REFUSED)
            for name, such in (
                ("corrupted-backup", "with a rotten byte"),
                ("corrupted-backup-wal", "without all of its log"),
                ("corrupted-backup-table", "that lacks a table"),
                ("corrupted-backup-key", "whose key is gone"),
            )
        ),
        _drill(
            "region-loss",
            "The bank goes on in the other region, but for the last minutes, when its own is lost",
            _REGION_LOSS, DR_RTO, restores=True, elsewhere="us-west-2", baseline_s=75.0, limit_s=360.0,
            figures=(LOST, *without(WHILE_HEALING)), not_shown=(*NOT_SHOWN, *NOT_SHOWN_OF_REGIONS),
        ),
        _spot("spot-interruption", "No customer notices anything when AWS takes a Spot task back"),
        _spot(
            "spot-interruption-az", "No customer notices anything when AWS takes a zone's Spot tasks back",
            tasks=6,
        ),
        _spot("spot-interruption-all", "No customer notices anything when AWS takes all Spot tasks back"),
        _spot(
            "spot-unavailable", "Tasks on demand take over when AWS has no Spot capacity left",
            PLACEMENT_ALARM, alarms=(*_OF_INTERRUPTIONS, "bank-api-unplaced-tasks"),
        ),
    )
}  # fmt: skip
