"""Where a ledger is restored to, and the state that every restoring runbook keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blackstart.waiting import TooLate
from runbooks import aurora
from runbooks.data_api import Sql

if TYPE_CHECKING:
    from blackstart.fault import Target
    from blackstart.runbook import State
    from blackstart.staging import Staging

INSTANCES = 2  # a writer, and a reader in another zone


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that a restored cluster needs around it, in one region ("" for the staging's own)."""

    cluster: str
    region: str
    subnet_group: str
    instance_class: str
    secret: str
    database: str
    receipts: str | None  # "" for the bucket that bears the account's number, None when out of reach
    within_s: float  # of each step that waits for AWS

    @property
    def flag(self) -> str:
        """The region as the AWS CLI takes it."""
        return f" --region {self.region}" if self.region else ""

    def targets(self, staging: Staging) -> tuple[Target, ...]:
        """Return what the restored cluster is put into, and the cluster whose place it takes."""
        group = aurora.subnet_group(staging, self.region, self.subnet_group)
        return (group, *aurora.targets(staging, self.region, self.cluster))

    def tags(self, staging: Staging) -> list[dict[str, str]]:
        """Return the tags of a new cluster: those of its surroundings."""
        group = aurora.subnet_group(staging, self.region, self.subnet_group)
        return [{"Key": key, "Value": value} for key, value in group.tags.items()]

    def sql(self, staging: Staging, found: dict[str, Any]) -> Sql:
        """Return a way to ask a cluster."""
        return Sql(
            staging=staging, region=self.region, cluster_arn=found["DBClusterArn"], secret=self.secret,
            database=self.database,
        )  # fmt: skip

    def bucket(self, staging: Staging) -> str:
        """Return the bucket of the receipts."""
        return self.receipts or f"receipts-{staging.facts.account}"

    def restored(self, staging: Staging, state: State) -> dict[str, Any] | None:
        """Return the cluster of the present attempt, whatever it is called by now."""
        if state.get("resource"):
            return aurora.by_resource(staging, self.region, state["resource"])
        return aurora.cluster(staging, self.region, state["new"]) if state.get("new") else None

    def in_use(self, staging: Staging, state: State) -> bool:
        """Tell whether the cluster of the present attempt bears the name that the bank uses."""
        found = self.restored(staging, state)
        return found is not None and found["DBClusterIdentifier"] == self.cluster


def begin_attempt(site: Site, state: State, **notes: Any) -> None:
    """Note the name of a new cluster and of its instances, before they are made."""
    attempt = state.get("attempt", 0) + 1
    new = f"{site.cluster}-restored-{state.id[:6]}-{attempt}"
    instances = [f"{new}-{number}" for number in range(1, INSTANCES + 1)]
    state.created(new, *instances)
    state.note(
        attempt=attempt, new=new, instances=instances, resource=None, verified=False,
        made=[*state.get("made", []), new], **notes,
    )  # fmt: skip


def delete_unused(site: Site, staging: Staging, state: State) -> None:
    """Delete every cluster that this run made and that nobody uses."""
    for name in state.get("made", []):
        try:
            if aurora.delete(staging, site.region, name, site.within_s):
                state.remark(f"deleted {name}")
        except TooLate as late:
            raise TooLate(f"{name} is left and must be deleted: {late}") from late


def unused(site: Site, staging: Staging, state: State) -> list[str]:
    """Return the clusters that this run made and that still bear the name they were made with."""
    return [name for name in state.get("made", []) if aurora.cluster(staging, site.region, name)]
