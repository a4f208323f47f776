"""Let a restored cluster take the place of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.fault import NothingToBreak, Plan
from blackstart.runbook import RunbookFailed, Step
from blackstart.runbook_run import runbook_activities
from runbooks import aurora, renaming, replacement
from runbooks.site import Site

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class CutOver:
    """A restored and verified cluster is there: give it the ledger's name, and with it its endpoints.

    No task is restarted: connection pools lose their connections and find the new cluster.
    """

    replacement: str = "ledger-restored"
    cluster: str = "ledger"
    region: str = ""
    old: str = "keep"
    secret: str = "ledger/password"  # noqa: S105 - its name
    database: str = "ledger"
    within_s: float = 1800.0

    def __post_init__(self) -> None:
        renaming.check(self.old)

    def prepare(self, staging: Staging) -> Plan:
        """Look at both clusters."""
        new = aurora.targets(staging, self.region, self.replacement)
        if not new:
            raise NothingToBreak(f"no cluster is called {self.replacement!r}")
        return Plan(
            targets=(*new, *aurora.targets(staging, self.region, self.cluster)), before={}, broken={},
            calls=replacement.CALLS, heals=replacement.HEALS, region=self.region,
        )  # fmt: skip

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        return (self._find(), *renaming.steps(self._site(), self.old))

    def abandon(self, staging: Staging, state: State) -> None:
        """Give both their names back, unless the bank uses the new one already."""
        site = self._site()
        if not state.get("resource"):
            return
        if site.in_use(staging, state):
            state.remark(f"{self.cluster} is the restored one and stays")
            if self.old == renaming.DELETE:
                renaming.delete_old(site, staging, state)
            return
        renaming.give_back_instance_names(site, staging, state)
        renaming.undo(site, staging, state)

    def _site(self) -> Site:
        return Site(
            cluster=self.cluster, region=self.region, subnet_group="", instance_class="", secret=self.secret,
            database=self.database, receipts=None, within_s=self.within_s,
        )  # fmt: skip

    def _find(self) -> Step:
        def do(staging: Staging, state: State) -> None:
            found = aurora.cluster(staging, self.region, self.replacement)
            if found is None or len(found["DBClusterMembers"]) < 1:
                raise RunbookFailed(f"{self.replacement} has no instance that could serve")
            state.note(instances=aurora.members(found), resource=found["DbClusterResourceId"])

        return Step(
            name="Look at the cluster that takes over",
            why="One without instances serves nobody, and one that nobody verified must not be trusted.",
            commands=f"""
            NEW={self.replacement}
            aws rds describe-db-clusters{self._site().flag} --db-cluster-identifier "$NEW" \\
              --query 'DBClusters[0].[Status,DBClusterMembers[].DBInstanceIdentifier]'
            # other names than $NEW-1 and $NEW-2: take those instead, below
            """,
            seen="It is `available`, has a writer and a reader, and was verified.",
            otherwise="verify it first: see the runbook it was restored with.",
            done=lambda _, state: bool(state.get("resource")),
            do=do, within_s=60,
        )  # fmt: skip


run, abandon = runbook_activities(CutOver)
