"""Destroy an Aurora cluster: instances, storage and name, as an attacker or a wrong script would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.activities import activities
from blackstart.fault import Bite, Plan
from blackstart.waiting import TooLate, wait_until
from faults import aurora_safety, bank

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class ClusterDestroyed:
    """Delete the cluster with all its instances, deletion protection or not.

    Its final snapshot is the way back for the drill itself. No runbook is told of it: whoever recovers must
    do so from the backups that the platform makes.
    """

    cluster: str
    bite_within_s: float = 900.0

    def prepare(self, staging: Staging) -> Plan:
        """Look at everything that it takes to make the cluster once more."""
        return aurora_safety.plan(staging, self.cluster, {"cluster": None})

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - it has one target
        """Delete it."""
        final = aurora_safety.snapshot_name(entry)
        entry.created(final)
        aurora_safety.destroy(staging, self.cluster, final_snapshot=final)

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """The API knows no such cluster, and the bank's own deep health check finds no database."""

        def proof() -> bool:
            return aurora_safety.find(staging, self.cluster) is None and not bank.ready(staging)

        try:
            wait_until(proof, within_s=self.bite_within_s, what=f"{self.cluster} is gone", every_s=0.2)
        except TooLate as late:
            return Bite(confirmed=False, evidence=str(late))
        names = ", ".join(one["DBInstanceIdentifier"] for one in plan.before["instances"])
        return Bite(
            confirmed=True,
            evidence=f"DBClusterNotFoundFault for {self.cluster} (had {names}), and the bank has no database",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Restore it from the final snapshot, unless it was recovered; then delete the snapshot."""
        aurora_safety.bring_back(staging, plan, entry, self.cluster)
        aurora_safety.drop(staging, entry)


inject, bite, heal = activities(ClusterDestroyed)
