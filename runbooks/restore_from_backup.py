"""Restore the ledger from a recovery point of AWS Backup, and cut over to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.context import ANSWERS
from blackstart.runbook_run import runbook_activities
from runbooks import recovery_points, renaming, replacement
from runbooks.from_backup import FromBackup
from runbooks.site import Site

if TYPE_CHECKING:
    from blackstart.fault import Plan
    from blackstart.runbook import State, Step
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class RestoreFromBackup:
    """The ledger's cluster is gone or beyond repair: restore it from AWS Backup.

    What was written after the recovery point is lost. A recovery point that does not stand up to verification
    is refused, and the next older one taken. Until “Move the old cluster out of the way” customers notice
    nothing, and whoever stops has only to delete what is called `*-restored-*`; from then until “Give the new
    cluster the name” they cannot pay.
    """

    cluster: str = "ledger"
    vault: str = "staging"
    which: str = "newest"
    seed: int | None = None
    old: str = "keep"
    trusts: str = ANSWERS
    secret: str = "ledger/password"  # noqa: S105 - its name
    database: str = "ledger"
    receipts: str = ""
    subnet_group: str = "data"
    instance_class: str = "db.r6g.large"
    role: str = "service-role/AWSBackupDefaultServiceRole"
    within_s: float = 7200.0

    def __post_init__(self) -> None:
        recovery_points.check(self.which)
        renaming.check(self.old)
        replacement.check(self.trusts)

    def prepare(self, staging: Staging) -> Plan:
        """Look what there is to restore, and where it goes."""
        return self._parts().prepare(staging)

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        return self._parts().steps()

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what nobody uses."""
        self._parts().abandon(staging, state)

    def _parts(self) -> FromBackup:
        site = Site(
            cluster=self.cluster, region="", subnet_group=self.subnet_group,
            instance_class=self.instance_class, secret=self.secret, database=self.database,
            receipts=self.receipts, within_s=self.within_s,
        )  # fmt: skip
        return FromBackup(
            site=site, vault=self.vault, which=self.which, seed=self.seed, role=self.role, old=self.old,
            trusts=self.trusts,
        )  # fmt: skip


run, abandon = runbook_activities(RestoreFromBackup)
