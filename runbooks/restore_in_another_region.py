"""Restore the ledger in another region from the copy of a recovery point that lies there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.runbook_run import runbook_activities
from runbooks import recovery_points, renaming
from runbooks.from_backup import FromBackup
from runbooks.site import Site

if TYPE_CHECKING:
    from blackstart.fault import Plan
    from blackstart.runbook import State, Step
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class RestoreInAnotherRegion:
    """The region answers nothing: restore the ledger where its backups were copied to.

    Asks the lost region for nothing. What was written after the copied recovery point is lost. The restored
    cluster takes the ledger's name in its own region, where the bank's standby looks for it.
    """

    region: str = "us-west-2"
    cluster: str = "ledger"
    vault: str = "staging-dr"
    which: str = "newest"
    seed: int | None = None
    old: str = "keep"
    secret: str = "ledger/password"  # noqa: S105 - its name
    database: str = "ledger"
    subnet_group: str = "data"
    instance_class: str = "db.r6g.large"
    role: str = "service-role/AWSBackupDefaultServiceRole"
    within_s: float = 7200.0

    def __post_init__(self) -> None:
        recovery_points.check(self.which)
        renaming.check(self.old)

    def prepare(self, staging: Staging) -> Plan:
        """Look what was copied, and where it goes."""
        return self._parts().prepare(staging)

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        return self._parts().steps()

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what nobody uses."""
        self._parts().abandon(staging, state)

    def _parts(self) -> FromBackup:
        site = Site(
            cluster=self.cluster, region=self.region, subnet_group=self.subnet_group,
            instance_class=self.instance_class, secret=self.secret, database=self.database,
            receipts=None, within_s=self.within_s,
        )  # fmt: skip
        return FromBackup(
            site=site, vault=self.vault, which=self.which, seed=self.seed, role=self.role, old=self.old
        )


run, abandon = runbook_activities(RestoreInAnotherRegion)
