"""Rewind the ledger to just before a bug ruined it, and cut over to the rewound one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from blackstart.fault import Plan
from blackstart.runbook import Progress, RunbookFailed, Step
from blackstart.runbook_run import runbook_activities
from runbooks import aurora, by_hand, data_api, logic_bug, renaming, replacement
from runbooks.site import Site, begin_attempt, delete_unused

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import Staging

BEFORE_THE_BUG, LATEST = "before the bug", "latest"
_CALLS = ("rds:RestoreDBClusterToPointInTime", *replacement.CALLS)


@dataclass(frozen=True, kw_only=True)
class RewindToAPointInTime:
    """Rows were corrupted or deleted on writer and reader alike: rewind to the moment before.

    Everything written after that moment is lost, the good with the bad: have it reported one by one. `at` is
    that moment in ISO 8601 with its zone, or "before the bug" to read it from the books, or "latest".
    Until “Move the old cluster out of the way” customers go on as they are, and whoever stops has only to
    delete what is called `*-restored-*`; from then until “Give the new cluster the name” they cannot pay.
    """

    at: str = BEFORE_THE_BUG
    cluster: str = "ledger"
    old: str = "keep"
    secret: str = "ledger/password"  # noqa: S105 - its name
    database: str = "ledger"
    receipts: str = ""
    subnet_group: str = "data"
    instance_class: str = "db.r6g.large"
    within_s: float = 7200.0

    def __post_init__(self) -> None:
        renaming.check(self.old)
        if self.at not in (BEFORE_THE_BUG, LATEST) and datetime.fromisoformat(self.at).tzinfo is None:
            raise ValueError(f"at is {self.at!r}: an instant with its zone was expected, like ...T12:00:00Z")

    def prepare(self, staging: Staging) -> Plan:
        """Look at the cluster that is to be rewound, and where the rewound one goes."""
        return Plan(
            targets=self._site().targets(staging), before={}, broken={}, calls=_CALLS,
            heals=replacement.HEALS,
        )  # fmt: skip

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        site, instead = self._site(), "do not cut over; restore from a backup instead."
        return (
            self._find(),
            self._await(),
            self._restore(),
            replacement.create_instances(site, _refuse, instead),
            replacement.verify(site, _refuse, instead, rewinds=True),
            *renaming.steps(site, self.old),
        )

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what nobody uses; what the bank uses already stays."""
        site = self._site()
        if site.in_use(staging, state):
            state.remark(f"{self.cluster} is the rewound one and stays")
            if self.old == renaming.DELETE:
                renaming.delete_old(site, staging, state)
            return
        delete_unused(site, staging, state)
        renaming.undo(site, staging, state)

    def _site(self) -> Site:
        return Site(
            cluster=self.cluster, region="", subnet_group=self.subnet_group,
            instance_class=self.instance_class, secret=self.secret, database=self.database,
            receipts=self.receipts, within_s=self.within_s,
        )  # fmt: skip

    def _find(self) -> Step:
        def do(staging: Staging, state: State) -> None:
            source = _source(staging, self.cluster)
            at = self._instant(staging, source)
            begin_attempt(
                self._site(), state, source=source["resource"], at=at.isoformat(),
                restorable_utc=at.isoformat(), rewound_to=None if self.at == LATEST else at.isoformat(),
            )  # fmt: skip
            state.created(source["resource"])
            state.event(
                "restore.point", recovery_point=f"point in time of {self.cluster}",
                created_utc=at.isoformat(), restorable_utc=at.isoformat(),
            )  # fmt: skip
            state.remark(f"rewinds to {at.isoformat()}")

        return Step(
            name="Find the moment to rewind to",
            why="One second too late brings the bug back, one too early loses what was good.",
            commands=f"""
            aws rds describe-db-clusters --db-cluster-identifier {self.cluster} --output text \\
              --query 'DBClusters[0].[DBClusterArn,EarliestRestorableTime,LatestRestorableTime]'
            CLUSTER_ARN=arn:aws:...
            # the last moment at which the books still were right, unless somebody knows it better:
            {data_api.command("", '"$CLUSTER_ARN"', self.secret, self.database, logic_bug.LAST_GOOD)}
            AT=...  # {self.at}, in UTC, such as 2026-11-23T09:00:00.123456Z
            """,
            seen="You know the moment, it can be restored, and the people who must know have "
            "been told that everything after AT will be lost.",
            otherwise="`None` means that the books follow from each other: it was no bug of this kind. Ask "
            "those who know when it began.",
            done=lambda _, state: bool(state.get("at")),
            do=do, within_s=60,
        )  # fmt: skip

    def _instant(self, staging: Staging, source: dict[str, Any]) -> datetime:
        if self.at == LATEST:
            latest: datetime | None = source["latest"]
            if latest is None:  # a cluster that was made a moment ago
                raise RunbookFailed(f"nothing of {self.cluster} is in the archive yet")
            return latest.astimezone(UTC)
        if self.at != BEFORE_THE_BUG:
            return datetime.fromisoformat(self.at).astimezone(UTC)
        found = aurora.cluster(staging, "", self.cluster)
        if found is None:
            raise RunbookFailed(f"{self.cluster} is gone: its books cannot be read; say `at`")
        at = self._site().sql(staging, found).one(logic_bug.LAST_GOOD)
        if at is None:
            raise RunbookFailed("the books of every account follow from each other: no sign of a bug")
        return datetime.fromisoformat(at).astimezone(UTC)

    def _await(self) -> Step:
        def done(staging: Staging, state: State) -> bool:
            if state.get("resource"):
                return True
            latest = _source(staging, self.cluster)["latest"]
            return latest is not None and latest >= datetime.fromisoformat(state["at"])

        return Step(
            name="Wait until that moment can be restored",
            why="The write-ahead log reaches the archive a little later: up to five minutes on AWS.",
            commands=f"""
            aws rds describe-db-clusters --db-cluster-identifier {self.cluster} \\
              --query 'DBClusters[0].LatestRestorableTime'  # again and again
            """,
            seen="LatestRestorableTime is not before AT.",
            otherwise="the log is not archived any more: restore from a backup instead.",
            done=done,
            do=lambda *_: None, within_s=900,
        )  # fmt: skip

    def _restore(self) -> Step:
        def do(staging: Staging, state: State) -> None:
            if aurora.cluster(staging, "", state["new"]) is not None:
                return
            wanted: dict[str, Any] = (
                {"UseLatestRestorableTime": True}
                if self.at == LATEST
                else {"RestoreToTime": datetime.fromisoformat(state["at"])}
            )
            source = _source(staging, self.cluster)
            named = (
                {"SourceDBClusterIdentifier": self.cluster}
                if source["living"]
                else {"SourceDbClusterResourceId": state["source"]}
            )
            staging.aws("rds").restore_db_cluster_to_point_in_time(
                DBClusterIdentifier=state["new"], DBSubnetGroupName=self.subnet_group,
                Tags=source["tags"], **named, **wanted,
            )  # fmt: skip

        def done(staging: Staging, state: State) -> bool:
            if state.get("resource"):
                return True
            found = self._site().restored(staging, state)
            if found is not None and ("fail" in found["Status"] or "incompatible" in found["Status"]):
                raise RunbookFailed(f"{state['new']} is {found['Status']}: it cannot be restored to then")
            return found is not None and found["Status"] == "available"

        def progress(staging: Staging, state: State) -> Progress | None:
            found = self._site().restored(staging, state)
            if found is None:
                return None
            percent = found.get("PercentProgress")
            return Progress(percent=float(percent) if percent else None, detail=found["Status"])

        return Step(
            name="Restore the cluster as it was then, into a new one",
            why="The bad one stays as it is: somebody will want to know what happened.",
            commands=f"""
            NEW={self.cluster}-restored-1
            aws rds restore-db-cluster-to-point-in-time --source-db-cluster-identifier {self.cluster} \\
              --db-cluster-identifier "$NEW" --restore-to-time "$AT" \\
              --db-subnet-group-name {self.subnet_group} --tags {replacement.TAGS}
            {by_hand.cluster_is_available("", '"$NEW"')}
            """,
            seen="The new cluster is `available`.",
            otherwise="if the cluster is gone, use --source-db-cluster-resource-id with the id that `aws rds"
            f" describe-db-cluster-automated-backups --db-cluster-identifier {self.cluster}` shows.",
            done=done, do=do, within_s=self.within_s, progress=progress,
        )  # fmt: skip


def _refuse(_: Staging, __: State, why: str) -> None:
    raise RunbookFailed(f"the rewound ledger was refused: {why}")


def _source(staging: Staging, cluster: str) -> dict[str, Any]:
    """Return a cluster's resource id, tags and the latest instant it can be restored to, living or deleted.

    The rewound one takes over its tags: the backup plan finds it by them.
    """
    found = aurora.cluster(staging, "", cluster)
    if found is not None:
        return {
            "resource": found["DbClusterResourceId"], "latest": found.get("LatestRestorableTime"),
            "tags": found.get("TagList", []), "living": True,
        }  # fmt: skip
    kept = staging.aws("rds").describe_db_cluster_automated_backups(DBClusterIdentifier=cluster)
    if not kept["DBClusterAutomatedBackups"]:
        raise RunbookFailed(f"{cluster} is gone, and no automated backup of it was kept")
    backup = max(kept["DBClusterAutomatedBackups"], key=lambda one: one["RestoreWindow"]["LatestTime"])
    return {
        "resource": backup["DbClusterResourceId"], "latest": backup["RestoreWindow"]["LatestTime"],
        "tags": backup.get("TagList", []), "living": False,
    }  # fmt: skip


run, abandon = runbook_activities(RewindToAPointInTime)
