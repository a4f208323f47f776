"""The AWS Backup API, assembled: vaults and plans are moto's, what they do is ours."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup.damage import damage
from staging.local.control_plane.backup.job_calls import JobCalls
from staging.local.control_plane.backup.plans import hours_between
from staging.local.control_plane.backup.point_calls import PointCalls
from staging.local.control_plane.backup.points import not_found
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging.local.control_plane.backup.kinds import Kinds
    from staging.local.control_plane.backup.orders import Orders
    from staging.local.control_plane.backup.points import Vaults
    from staging.local.control_plane.bridge import Bridge
    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call

_DAMAGE_WITHIN_S = 30.0


class Backup:
    """Answers for AWS Backup in both regions."""

    def __init__(self, orders: Orders, vaults: Vaults, kinds: Kinds, bridge: Bridge) -> None:
        self._orders = orders
        self._vaults = vaults
        self._kinds = kinds
        self._bridge = bridge

    def register(self, front: Front) -> None:
        """Answer for AWS Backup."""
        front.before("backup", "DescribeBackupVault", "ListBackupVaults")(self._count)
        front.before("backup", "DeleteBackupVault")(self._require_empty)
        front.before("backup", "CreateBackupPlan")(_require_known_schedule)
        front.before("backup", "CreateBackupVault")(_require_key)
        front.regional("backup", "CreateBackupSelection")(self._select)
        front.regional("backup", "GetBackupSelection")(self._selection)
        front.regional("backup", "ListBackupSelections")(self._selections)
        front.regional("backup", "DeleteBackupSelection")(self._deselect)
        front.local("DamageRecoveryPoint")(self._damage)
        front.local("DescribeDamage")(self._describe_damage)
        JobCalls(self._orders, self._vaults, self._bridge).register(front)
        PointCalls(self._vaults, self._kinds, self._bridge).register(front)

    # Vaults and plans.

    def _count(self, call: Call) -> None:
        for name, vault in list(backend("backup", call.region).vaults.items()):
            vault.num_of_recovery_points = len(self._in(call.region, name))
            vault.number_of_recovery_points = vault.num_of_recovery_points

    def _in(self, region: str, vault: str) -> list[Any]:
        return [point for point in self._vaults.all(region) if point.vault == vault]

    def _require_empty(self, call: Call) -> None:
        if self._in(call.region, call.params["BackupVaultName"]):
            message = "Backup vault cannot be deleted because it contains recovery points."
            raise AwsError("InvalidRequestException", message)

    # Selections.

    def _select(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        plan = params["BackupPlanId"]
        _require_plan(region, plan)
        request = params.get("CreatorRequestId") or ""
        known = self._orders.select(region, plan, params["BackupSelection"], request)
        return {key: known[key] for key in ("SelectionId", "BackupPlanId", "CreationDate")}

    def _selection(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        known = self._orders.all_selections(region, params["BackupPlanId"]).get(params["SelectionId"])
        if known is None:
            raise not_found(f"Backup selection {params['SelectionId']}")
        return known

    def _selections(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        plan = params["BackupPlanId"]
        _require_plan(region, plan)
        listed = [
            {
                **{key: known[key] for key in ("SelectionId", "BackupPlanId", "CreationDate")},
                **{key: known["BackupSelection"].get(key) for key in ("SelectionName", "IamRoleArn")},
            }
            for known in self._orders.all_selections(region, plan).values()
        ]
        return {"BackupSelectionsList": listed}

    def _deselect(self, region: str, params: Mapping[str, Any]) -> None:
        self._selection(region, params)
        del self._orders.all_selections(region, params["BackupPlanId"])[params["SelectionId"]]

    # Beyond AWS.

    def _damage(self, params: Mapping[str, Any]) -> dict[str, str]:
        point = self._vaults.anywhere(params["recovery_point"])
        point.damaged = True
        work = asyncio.to_thread(damage, point, params["how"])
        return {"damaged": self._bridge.run(work, within_s=_DAMAGE_WITHIN_S)}

    def _describe_damage(self, params: Mapping[str, Any]) -> dict[str, bool]:
        return {"damaged": self._vaults.anywhere(params["recovery_point"]).damaged}


def _require_plan(region: str, plan: str) -> None:
    if plan not in backend("backup", region).plans:
        raise not_found(f"Backup plan {plan}")


def _require_known_schedule(call: Call) -> None:
    for rule in call.params["BackupPlan"]["Rules"]:
        hours_between(rule.get("ScheduleExpression") or "cron(0 5 ? * * *)")


def _require_key(call: Call) -> None:
    if not call.params.get("EncryptionKeyArn"):
        # AWS falls back to a key of its own, which nobody could disable
        raise AwsError("MissingParameterValueException", "EncryptionKeyArn is needed on the local staging.")
