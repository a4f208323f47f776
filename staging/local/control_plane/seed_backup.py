"""Keys, vaults and the backup plan: what protects the ledger, in both regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup.points import vault_arn
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import DR_REGION, REGION, TAGS

if TYPE_CHECKING:
    from staging.local.control_plane.backup.orders import Orders

VAULT, DR_VAULT = "staging", "staging-dr"
BACKED_UP = {"Backup": "hourly"}  # the tag that the plan's selection looks for
_KEPT_DAYS = 35
_LOCK_DAYS = (7, 365)


def create_key(region: str, alias: str) -> str:
    """Make a KMS key with an alias; return its ARN."""
    kms, tags = backend("kms", region), [{"TagKey": key, "TagValue": value} for key, value in TAGS.items()]
    key = kms.create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", alias, tags)
    kms.create_alias(key.id, f"alias/{alias}")
    return str(key.arn)


def create_vaults() -> None:
    """Make the vault, and the one in the other region, which is locked: nobody deletes what lies there."""
    for region, name in ((REGION, VAULT), (DR_REGION, DR_VAULT)):
        key = create_key(region, f"backup-{name}")
        backend("backup", region).create_backup_vault(name, dict(TAGS), key, "")
    backend("backup", DR_REGION).put_backup_vault_lock_configuration(DR_VAULT, *_LOCK_DAYS, None)


def create_plan(orders: Orders) -> None:
    """Back up every hour whatever is tagged so, with a copy in the other region."""
    kept = {"DeleteAfterDays": _KEPT_DAYS}
    rule: dict[str, Any] = {
        "RuleName": "hourly",
        "TargetBackupVaultName": VAULT,
        "ScheduleExpression": "cron(0 * ? * * *)",
        "StartWindowMinutes": 60,
        "CompletionWindowMinutes": 120,
        "Lifecycle": kept,
        "CopyActions": [{"DestinationBackupVaultArn": vault_arn(DR_REGION, DR_VAULT), "Lifecycle": kept}],
    }
    document = {"BackupPlanName": "bank", "Rules": [rule]}
    plan = backend("backup").create_backup_plan(document, dict(TAGS), "")
    ((key, value),) = BACKED_UP.items()
    orders.select(REGION, plan.backup_plan_id, {
        "SelectionName": "tagged",
        "IamRoleArn": "arn:aws:iam::123456789012:role/service-role/AWSBackupDefaultServiceRole",
        "ListOfTags": [{"ConditionType": "STRINGEQUALS", "ConditionKey": key, "ConditionValue": value}],
    })  # fmt: skip
