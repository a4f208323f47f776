"""The newest recovery point is damaged, says so itself, and is deleted in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from blackstart.choke import RUNNER, ChokePoint, Seen
from blackstart.fault import NothingToBreak
from blackstart.guards import check_plan
from blackstart.ledger import Handle, Ledger
from blackstart.staging import Damageable, Facts
from faults.recovery_point_damaged import RecoveryPointDamaged

if TYPE_CHECKING:
    from pathlib import Path

FAULT = RecoveryPointDamaged(cluster="ledger", vault="staging")
NAME = "faults.recovery_point_damaged:RecoveryPointDamaged"
SAID = "byte 77 of backups/job-0011aabb/base/1/1259: 0x70 became 0x8f"


class Vault:
    """AWS Backup as the fault asks it, for moto has no recovery points; and the power to damage one."""

    def __init__(self, folder: Path) -> None:
        self.facts = Facts(
            name="t", account="123456789012", region="us-east-1", isolation="", timings="", base_url=""
        )
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.points = {
            "arn:old": ("arn:aws:rds:::cluster:ledger", 1, "COMPLETED"),
            "arn:newest": ("arn:aws:rds:::cluster:ledger", 2, "COMPLETED"),
            "arn:unfinished": ("arn:aws:rds:::cluster:ledger", 3, "RUNNING"),
            "arn:other": ("arn:aws:rds:::cluster:other", 4, "COMPLETED"),
        }
        self.damaged: list[tuple[str, str]] = []
        self.said = SAID
        self.able = True
        self.key_is_gone = False

    def aws(self, service: str, region: str = "") -> Any:  # noqa: ARG002 - one region
        return Sts() if service == "sts" else self

    def power(self, kind: type[Any]) -> Any:
        assert kind is Damageable
        return self if self.able else None

    def damage(self, recovery_point: str, how: str) -> str:
        self._pass_through("local", "DamageRecoveryPoint", {"target": recovery_point})
        self.damaged.append((recovery_point, how))
        return self.said

    def is_damaged(self, recovery_point: str) -> bool:
        return recovery_point in dict(self.damaged)

    def get_paginator(self, name: str) -> Any:
        assert name == "list_recovery_points_by_backup_vault"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return [
            {"RecoveryPoints": [{
                "RecoveryPointArn": arn, "ResourceArn": resource, "Status": status,
                "CreationDate": datetime(2026, 1, day, tzinfo=UTC),
            }]}
            for arn, (resource, day, status) in self.points.items()
        ]  # fmt: skip

    def describe_backup_vault(self, **_: str) -> dict[str, str]:
        return {"BackupVaultArn": "arn:vault"}

    def list_tags(self, **asked: str) -> dict[str, Any]:
        tags = {"Environment": "staging", "blackstart": "allowed"}
        return {"Tags": tags if asked["ResourceArn"] == "arn:vault" else {}}

    def describe_recovery_point(self, **asked: str) -> dict[str, str]:
        if asked["RecoveryPointArn"] not in self.points:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeRecoveryPoint")
        return {"Status": self.points[asked["RecoveryPointArn"]][2], "EncryptionKeyArn": "arn:key"}

    def describe_key(self, **asked: str) -> None:
        assert asked == {"KeyId": "arn:key"}
        if self.key_is_gone:
            raise ClientError({"Error": {"Code": "NotFoundException"}}, "DescribeKey")

    def delete_recovery_point(self, **asked: str) -> None:
        self._pass_through("backup", "DeleteRecoveryPoint", asked)
        del self.points[asked["RecoveryPointArn"]]

    def _pass_through(self, service: str, operation: str, params: dict[str, str]) -> None:
        seen = Seen(service=service, operation=operation, region="", params=params, role=RUNNER)
        ChokePoint(ledger=self.ledger).pass_through(seen)


class Sts:
    """Who we are."""

    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "123456789012"}


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    monkeypatch.setenv("BLACKSTART_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BLACKSTART_CONTEXT", raising=False)
    return Vault(tmp_path)


def injected(vault: Vault, fault: RecoveryPointDamaged = FAULT) -> Any:
    plan = fault.prepare(vault)
    entry = Handle(vault.ledger.open("drill", NAME, {}, plan).id, vault.ledger)
    fault.inject(vault, plan, entry)
    return plan, entry


def test_the_newest_completed_one_of_the_cluster_is_damaged(vault: Vault) -> None:
    check_plan(vault, FAULT.prepare(vault))
    plan, _ = injected(vault)

    assert vault.damaged == [("arn:newest", "byte")]
    assert FAULT.bite(vault, plan).confirmed
    assert SAID in FAULT.bite(vault, plan).evidence


@pytest.mark.parametrize(
    "said", ["", "byte 77 of backups/job-0011aabb-2233ccdd", "byte 77: 0x70 became 0x70"]
)
def test_bytes_that_do_not_differ_are_no_bite(vault: Vault, said: str) -> None:
    vault.said = said
    plan, _ = injected(vault)

    assert not FAULT.bite(vault, plan).confirmed


@pytest.mark.parametrize("gone", [True, False])
def test_kms_is_asked_whether_the_key_is_gone(vault: Vault, gone: bool) -> None:
    vault.key_is_gone = gone
    plan, _ = injected(vault, fault := replace(FAULT, how="key"))

    assert fault.bite(vault, plan).confirmed is gone


def test_a_damage_that_shows_in_the_api_tests_nothing(vault: Vault) -> None:
    plan, _ = injected(vault)
    vault.points["arn:newest"] = ("", 2, "PARTIAL")

    assert not FAULT.bite(vault, plan).confirmed


def test_a_good_one_is_kept_when_nobody_came_to_damage_it(vault: Vault) -> None:
    plan = FAULT.prepare(vault)
    entry = Handle(vault.ledger.open("drill", NAME, {}, plan).id, vault.ledger)

    FAULT.heal(vault, plan, entry)

    assert "arn:newest" in vault.points


def test_it_is_deleted_in_the_end_and_nothing_else(vault: Vault) -> None:
    plan, entry = injected(vault, replace(FAULT, how="wal"))
    FAULT.heal(vault, plan, entry)
    FAULT.heal(vault, plan, entry)

    assert sorted(vault.points) == ["arn:old", "arn:other", "arn:unfinished"]


def test_a_staging_that_cannot_damage_backups_is_refused_in_words(vault: Vault) -> None:
    vault.able = False

    with pytest.raises(NothingToBreak, match="no way to damage a backup"):
        FAULT.prepare(vault)


def test_without_an_older_one_to_fall_back_to_nothing_is_damaged(vault: Vault) -> None:
    del vault.points["arn:old"]

    with pytest.raises(NothingToBreak, match="holds 1 recovery points"):
        FAULT.prepare(vault)
