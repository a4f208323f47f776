"""Restore the ledger in another region from the copy that lies there, and let the bank go on from there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blackstart.runbook_run import runbook_activities
from runbooks import arrival, aurora, recovery_points, renaming
from runbooks.arrival import Arrival
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
    cluster takes the ledger's name in its own region, where the bank's service looks for it; then that is
    started, and customers are sent there.
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
    service: str = "bank/bank-api"
    tasks: int = 2
    load_balancer: str = "bank"
    target_group: str = "bank-api"
    hosted_zone: str = "bank.example."
    record: str = "api.bank.example."
    within_s: float = 7200.0

    def __post_init__(self) -> None:
        recovery_points.check(self.which)
        renaming.check(self.old)

    def prepare(self, staging: Staging) -> Plan:
        """Look what was copied, and where it goes."""
        plan = self._parts().prepare(staging)
        targets = (*plan.targets, *self._arrival().targets(staging))
        return replace(
            plan, targets=targets, before={**plan.before, "record": self.record},
            calls=(*plan.calls, *arrival.CALLS),
            heals=(*(plan.heals or ()), *arrival.HEALS),
        )  # fmt: skip

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        *restoring, last = self._parts().steps()
        return (*restoring, *self._arrival().steps(), last)

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what nobody uses; all of it, unless customers have been sent there."""
        if not self._arrival().serves(staging):
            self._arrival().withdraw(staging, state)
            self._delete_restored(staging, state)
        self._parts().abandon(staging, state)

    def _delete_restored(self, staging: Staging, state: State) -> None:
        """Delete the cluster also when it has the ledger's name already: without customers nobody uses it."""
        if self._site().in_use(staging, state):
            state.created(self.cluster)
            aurora.delete(staging, self.region, self.cluster, self.within_s)
            state.remark(f"deleted {self.cluster} in {self.region}")

    def _arrival(self) -> Arrival:
        return Arrival(
            region=self.region, service=self.service, tasks=self.tasks, load_balancer=self.load_balancer,
            target_group=self.target_group, hosted_zone=self.hosted_zone, record=self.record,
        )  # fmt: skip

    def _site(self) -> Site:
        return Site(
            cluster=self.cluster, region=self.region, subnet_group=self.subnet_group,
            instance_class=self.instance_class, secret=self.secret, database=self.database,
            receipts=None, within_s=self.within_s,
        )  # fmt: skip

    def _parts(self) -> FromBackup:
        return FromBackup(
            site=self._site(), vault=self.vault, which=self.which, seed=self.seed, role=self.role,
            old=self.old,
        )  # fmt: skip


run, abandon = runbook_activities(RestoreInAnotherRegion)
