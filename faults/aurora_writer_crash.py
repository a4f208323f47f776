"""Crash the writer of an Aurora cluster without warning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.activities import activities
from blackstart.fault import Bite, Plan
from blackstart.waiting import TooLate, wait_until
from faults import aurora

if TYPE_CHECKING:
    from blackstart.fault import OpenEntry
    from blackstart.staging import Staging

_CRASH = "SELECT aurora_inject_crash('instance')"
_WHO_SINCE_WHEN = (
    "SELECT aurora_db_instance_identifier() || ' ' || extract(epoch from now() - pg_postmaster_start_time())"
)


@dataclass(frozen=True, kw_only=True)
class AuroraWriterCrash:
    """Crash the writer's instance with Aurora's own fault injection query, sent by the RDS Data API.

    Aurora either promotes a reader or restarts the instance in place; both count as recovery.
    """

    cluster: str
    secret: str
    bite_within_s: float = 60.0

    def prepare(self, staging: Staging) -> Plan:
        """Find the writer, and the reader that may be promoted instead."""
        return aurora.plan(staging, self.cluster)

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - makes nothing
        """Crash it. The answer dies with the server, so an error is expected; the bite judges."""
        try:
            aurora.execute(staging, self.cluster, self.secret, _CRASH)
        except (ClientError, BotoCoreError):
            return

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """Another server answers writes, or the same one has started since, or none does to the end."""
        crashed, said = plan.before["writer"], aurora.Said()

        def proof() -> str | None:
            nonlocal said
            said = aurora.said(staging, self.cluster, self.secret, _WHO_SINCE_WHEN)
            return _proof(crashed, said.answer, _seconds_since(plan.prepared_at))

        try:
            evidence = wait_until(
                proof, within_s=self.bite_within_s, what=f"the process of {crashed} is gone", every_s=0.2
            )
        except TooLate as late:
            # dead, and nobody took its place: that is the platform's failure, and not the fault's
            return Bite(confirmed=said.is_down, evidence=f"{late}; {said.error or said.answer or 'silence'}")
        return Bite(confirmed=True, evidence=evidence)

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:  # noqa: ARG002 - made nothing
        """Make the first writer the writer again, if Aurora promoted another."""
        aurora.fail_back(staging, self.cluster, plan)


def _proof(crashed: str, answer: str | None, since_s: float) -> str | None:
    """Return what the writer's answer proves, None when it proves nothing."""
    if answer is None:
        return None
    who, _, up_s = answer.partition(" ")
    if who != crashed:
        return f"{crashed} answered writes before, {who} does now"
    if float(up_s) < since_s:
        return f"{who} restarted {float(up_s):.1f} s ago, after the injection"
    return None


def _seconds_since(utc: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(utc)).total_seconds()


inject, bite, heal = activities(AuroraWriterCrash)
