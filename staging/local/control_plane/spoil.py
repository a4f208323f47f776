"""Plants defects in what the platform's Terraform would have made: alarms, rules, keys, tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import DR_REGION, LEDGER, REGIONS
from staging.local.control_plane.seed_backup import BACKED_UP, DR_VAULT
from staging.local.control_plane.seed_rules import PLACEMENT_FAILURE, SPOT_INTERRUPTION
from staging.local.defects import Defect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

WRITER_ALARM = "ledger-writer-unavailable"
_PERIODS = 600


def spoil(defects: Iterable[Defect]) -> None:
    """Plant those that belong here; the platform is there already, and nothing judges alarms yet."""
    for defect in sorted(defects):
        if defect in _SPOILS:
            _SPOILS[defect]()


def _delete_alarms() -> None:
    for region in REGIONS:
        backend("cloudwatch", region).alarms.clear()


def _disable_actions() -> None:
    for region in REGIONS:
        for alarm in backend("cloudwatch", region).alarms.values():
            alarm.actions_enabled = False


def _unsubscribe() -> None:
    for region in REGIONS:
        backend("sns", region).subscriptions.clear()


def _trust_silence() -> None:
    backend("cloudwatch").alarms[WRITER_ALARM].treat_missing_data = "notBreaching"


def _wait_ten_minutes() -> None:
    alarm = backend("cloudwatch").alarms[WRITER_ALARM]
    alarm.evaluation_periods = alarm.datapoints_to_alarm = _PERIODS


def _disable_rule(name: str) -> None:
    backend("events").describe_event_bus("default").rules[name].state = "DISABLED"


def _disable_key() -> None:
    # not the first region's: a snapshot of Aurora is under its cluster's own key, whatever the vault's is
    vault = backend("backup", DR_REGION).describe_backup_vault(DR_VAULT)
    backend("kms", DR_REGION).disable_key(vault.encryption_key_arn.rpartition("/")[2])


def _misspell_tag() -> None:
    cluster = backend("rds").clusters[LEDGER]
    (tag,) = BACKED_UP
    cluster.tags = [one for one in cluster.tags if one["Key"] != tag]


_SPOILS: Mapping[Defect, Callable[[], None]] = {
    Defect.ALARMS_DELETED: _delete_alarms,
    Defect.ALARM_ACTIONS_DISABLED: _disable_actions,
    Defect.SNS_TOPIC_WITHOUT_SUBSCRIBER: _unsubscribe,
    Defect.ALARM_TREATS_MISSING_AS_GOOD: _trust_silence,
    Defect.ALARM_NEEDS_TEN_MINUTES: _wait_ten_minutes,
    Defect.PLACEMENT_RULE_DISABLED: lambda: _disable_rule(PLACEMENT_FAILURE),
    Defect.SPOT_RULE_DISABLED: lambda: _disable_rule(SPOT_INTERRUPTION),
    Defect.BACKUP_KEY_DISABLED: _disable_key,
    Defect.BACKUP_TAG_MISSPELT: _misspell_tag,
}
