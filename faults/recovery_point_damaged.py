"""Damage the newest recovery point of an Aurora cluster where it lies: byte, log segment, table, key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from blackstart import context
from blackstart.activities import activities
from blackstart.fault import Bite, NothingToBreak, Plan, Target
from blackstart.history import History
from blackstart.staging import Damageable

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Damage, Staging

_POINTS_MIN = 2  # one to damage, and an older one to fall back to
_BYTE = re.compile(r"\b(0x[0-9a-f]{2}) became (0x[0-9a-f]{2})\b")
_GONE = {"ResourceNotFoundException", "InvalidParameterValueException"}


@dataclass(frozen=True, kw_only=True)
class RecoveryPointDamaged:
    """Damage the newest completed recovery point of `cluster` in `vault`: its byte, wal, table or key.

    Nothing of it shows in what the API says. No AWS API damages a backup, so this is for stagings that can.
    """

    cluster: str
    vault: str
    how: Damage = "byte"

    def prepare(self, staging: Staging) -> Plan:
        """Find the newest recovery point, and see that there is an older one to fall back to."""
        if staging.power(Damageable) is None:
            raise NothingToBreak(f"{staging.facts.name} has no way to damage a backup at rest; AWS has none")
        points = self._points(staging)
        if len(points) < _POINTS_MIN:
            raise NothingToBreak(
                f"vault {self.vault} holds {len(points)} recovery points of {self.cluster}: a restore could "
                "not fall back to an older one"
            )
        newest = points[-1]["RecoveryPointArn"]
        return Plan(
            targets=(Target(kind="recovery point", id=newest, arn=newest, tags=self._tags(staging, newest)),),
            before={"vault": self.vault, "recovery point": newest},
            broken={"damaged": self.how},
            destroys=True,
            calls=("local:DamageRecoveryPoint", "backup:DeleteRecoveryPoint"),
            heals=("backup:DeleteRecoveryPoint",),
        )

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Damage it, and write down which bytes."""
        point, power = plan.before["recovery point"], staging.power(Damageable)
        if power is None:
            raise NothingToBreak("the staging can no longer damage a backup")
        said = power.damage(point, self.how)
        context.current().events().write("damage", recovery_point=point, how=self.how, said=said)

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """The bytes differ, while the API still calls the recovery point complete."""
        point = plan.before["recovery point"]
        said = _said(point)
        described = _describe(staging, plan)
        status = described["Status"]
        return Bite(
            confirmed=self._is_done(staging, said, described) and status == "COMPLETED",
            evidence=f"{point.rpartition(':')[2]}: {said or 'nobody said what'}; the API says {status}",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - made nothing
        """Delete the damaged recovery point, so that nobody ever restores from it; a good one is kept."""
        try:
            _describe(staging, plan)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            return
        power = staging.power(Damageable)
        if power is not None and not power.is_damaged(plan.before["recovery point"]):
            return  # whoever was to damage it was killed before
        staging.aws("backup").delete_recovery_point(
            BackupVaultName=plan.before["vault"], RecoveryPointArn=plan.before["recovery point"]
        )

    def _is_done(self, staging: Staging, said: str, described: dict[str, Any]) -> bool:
        match self.how:
            case "byte":
                return any(was != now for was, now in _BYTE.findall(said))
            case "key":
                return _is_gone(staging, described["EncryptionKeyArn"])
            case _:
                return bool(said)

    def _points(self, staging: Staging) -> list[dict[str, Any]]:
        """Return the cluster's completed recovery points in the vault, oldest first."""
        pages = staging.aws("backup").get_paginator("list_recovery_points_by_backup_vault")
        found = [
            point
            for page in pages.paginate(BackupVaultName=self.vault)
            for point in page["RecoveryPoints"]
            if point["ResourceArn"].endswith(f":cluster:{self.cluster}") and point["Status"] == "COMPLETED"
        ]
        return sorted(found, key=lambda point: point["CreationDate"])

    def _tags(self, staging: Staging, point: str) -> dict[str, str]:
        """Return the recovery point's tags; without any of its own, those of the vault decide."""
        backup = staging.aws("backup")
        vault = backup.describe_backup_vault(BackupVaultName=self.vault)["BackupVaultArn"]
        tags: dict[str, str] = backup.list_tags(ResourceArn=point).get("Tags", {})
        return tags or dict(backup.list_tags(ResourceArn=vault).get("Tags", {}))


def _describe(staging: Staging, plan: Plan) -> dict[str, Any]:
    described: dict[str, Any] = staging.aws("backup").describe_recovery_point(
        BackupVaultName=plan.before["vault"], RecoveryPointArn=plan.before["recovery point"]
    )
    return described


def _is_gone(staging: Staging, key: str) -> bool:
    try:
        staging.aws("kms").describe_key(KeyId=key)
    except ClientError as error:
        return str(error.response["Error"]["Code"]) == "NotFoundException"
    return False


def _said(point: str) -> str:
    """Return what the staging said when it damaged this recovery point, as the history holds it."""
    event = History(context.current().history).event("damage", recovery_point=point)
    return str(event.detail["said"]) if event else ""


inject, bite, heal = activities(RecoveryPointDamaged)
