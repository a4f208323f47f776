"""Promote a reader of an Aurora cluster to writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.activities import activities
from blackstart.fault import Bite, Plan
from blackstart.waiting import TooLate, wait_until
from faults import aurora

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class AuroraFailover:
    """Promote a reader of the cluster, as a planned failover does.

    `secret` is the Secrets Manager name of the credentials by which the bite asks the writer who it is.
    """

    cluster: str
    secret: str
    bite_within_s: float = 60.0

    def prepare(self, staging: Staging) -> Plan:
        """Find the writer and the reader to promote."""
        return aurora.plan(staging, self.cluster)

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Ask for the failover; Aurora carries it out by itself."""
        aurora.promote(staging, self.cluster, plan.broken["writer"])

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """The API names another writer, and the server that answers writes says the same."""
        wanted = plan.broken["writer"]

        def proof() -> dict[str, Any] | None:
            seen = {"api": aurora.writer_now(staging, self.cluster), "sql": self._ask(staging)}
            return seen if set(seen.values()) == {wanted} else None

        try:
            wait_until(proof, within_s=self.bite_within_s, what=f"{wanted} is the writer", every_s=0.2)
        except TooLate as late:
            return Bite(confirmed=False, evidence=str(late))
        return Bite(
            confirmed=True,
            evidence=f"writer was {plan.before['writer']}, is {wanted}: by the RDS API and by its own answer",
        )

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - made nothing
        """Make the first writer the writer again."""
        aurora.fail_back(staging, self.cluster, plan)

    def _ask(self, staging: Staging) -> str | None:
        return aurora.ask_writer(staging, self.cluster, self.secret, "SELECT aurora_db_instance_identifier()")


inject, bite, heal = activities(AuroraFailover)
