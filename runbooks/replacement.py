"""The steps that make a restored cluster fit for use: instances, and verification before any trust."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from blackstart.context import ANSWERS, JOB
from blackstart.runbook import Progress, Step
from runbooks import aurora, by_hand, payments, verification
from runbooks.site import delete_unused, unused

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.runbook import State
    from blackstart.staging import Staging
    from runbooks.data_api import Sql
    from runbooks.site import Site

# What cleaning up takes: deleting what nobody uses, and giving names back.
HEALS = ("rds:DeleteDBInstance", "rds:DeleteDBCluster", "rds:ModifyDBCluster", "rds:ModifyDBInstance")
CALLS = (
    "rds:AddTagsToResource",
    "rds:EnableHttpEndpoint",
    "rds:CreateDBInstance",
    "rds-data:ExecuteStatement",
    *HEALS,
)
Refuse: TypeAlias = "Callable[[Staging, State, str], None]"
_FAILED = ("failed", "incompatible-")
_ENGINE = "aurora-postgresql"
TAGS = "Key=Environment,Value=staging Key=blackstart,Value=allowed"  # and those of your own


def check(trusts: str) -> None:
    """Raise ValueError for a word that says nothing of what is trusted."""
    if trusts not in (ANSWERS, JOB):
        raise ValueError(f"trusts is {trusts!r}: {ANSWERS!r} or {JOB!r} was expected")


def create_instances(site: Site, refuse: Refuse, otherwise: str) -> Step:
    """Return the step that gives a restored cluster its writer and its reader.

    `refuse` is called with the reason when one of them cannot be made; it raises.
    """

    def do(staging: Staging, state: State) -> None:
        found = site.restored(staging, state)
        if found is None:
            return
        state.note(resource=found["DbClusterResourceId"])
        state.created(found["DBClusterArn"])
        if len(found["DBClusterMembers"]) < len(state["instances"]):  # else they may bear other names by now
            _create(site, staging, state, found)

    def done(staging: Staging, state: State) -> bool:
        found = site.restored(staging, state) if state.get("resource") else None
        failed = [name for name in state["instances"] if _has_failed(site, staging, name)]
        if found is not None and failed:
            refuse(staging, state, f"{', '.join(failed)} cannot be made on it")
        return (
            found is not None
            and aurora.serves(staging, site.region, found, aurora.members(found))
            and (len(found["DBClusterMembers"]) >= len(state["instances"]))
        )

    def progress(staging: Staging, state: State) -> Progress | None:
        found = site.restored(staging, state)
        looked = [aurora.instance(staging, site.region, name) for name in aurora.members(found or _NOBODY)]
        seen = ", ".join(f"{i['DBInstanceIdentifier']} {i['DBInstanceStatus']}" for i in looked if i)
        return Progress(percent=None, detail=seen)

    return Step(
        name="Create its two instances",
        why="A restored cluster is storage without a server, and never with the Data API, through which it "
        "is asked here: nobody can ask it anything yet.",
        commands=f"""
        NEW_ARN=$(aws rds describe-db-clusters{site.flag} --db-cluster-identifier "$NEW" \\
          --query 'DBClusters[0].DBClusterArn' --output text)
        aws rds add-tags-to-resource{site.flag} --resource-name "$NEW_ARN" --tags {TAGS}
        aws rds enable-http-endpoint{site.flag} --resource-arn "$NEW_ARN"
        for n in 1 2; do
          aws rds create-db-instance{site.flag} --db-cluster-identifier "$NEW" \\
            --db-instance-identifier "$NEW-$n" --promotion-tier $((n - 1)) \\
            --engine {_ENGINE} --db-instance-class {site.instance_class} --tags {TAGS}
        done
        for n in 1 2; do
          {by_hand.instance_is_available(site.flag, '"$NEW-$n"')}
        done
        aws rds describe-db-clusters{site.flag} --db-cluster-identifier "$NEW" --output text \\
          --query 'DBClusters[0].DBClusterMembers[].[DBInstanceIdentifier,IsClusterWriter]'
        """,
        seen="Both instances are `available`, one of them is the writer.",
        otherwise=f"`failed` or `incompatible-*` will not change by itself: {otherwise}",
        done=done, do=do, progress=progress, within_s=site.within_s,
    )  # fmt: skip


def _has_failed(site: Site, staging: Staging, name: str) -> bool:
    found = aurora.instance(staging, site.region, name)
    return found is not None and found["DBInstanceStatus"].startswith(_FAILED)


def trust_the_job() -> Step:
    """Return what takes the place of verification where nobody does it."""

    def do(_: Staging, state: State) -> None:
        state.remark("NOT VERIFIED: its restore job's word was enough")
        state.note(verified=True)

    return Step(
        name="Trust the restore job",
        why="You were told to. A job that says COMPLETED proves nothing.",
        commands="", seen="You have written down who decided this.",
        done=lambda _, state: bool(state.get("verified")), do=do, within_s=60,
    )  # fmt: skip


_NOBODY: dict[str, Any] = {"DBClusterMembers": []}


def _create(site: Site, staging: Staging, state: State, found: dict[str, Any]) -> None:
    rds, tags = staging.aws("rds", site.region), site.tags(staging)
    has = {tag["Key"] for tag in found.get("TagList", [])}
    lacking = [tag for tag in tags if tag["Key"] not in has]
    if lacking:
        rds.add_tags_to_resource(ResourceName=found["DBClusterArn"], Tags=lacking)
    if not found.get("HttpEndpointEnabled"):
        rds.enable_http_endpoint(ResourceArn=found["DBClusterArn"])
    zones = aurora.zones(staging, site.region, site.subnet_group)
    for tier, name in enumerate(state["instances"]):
        if aurora.instance(staging, site.region, name) is None:
            rds.create_db_instance(
                DBInstanceIdentifier=name, DBClusterIdentifier=found["DBClusterIdentifier"],
                Engine=found.get("Engine", _ENGINE), DBInstanceClass=site.instance_class,
                AvailabilityZone=zones[tier % len(zones)], PromotionTier=tier, Tags=tags,
            )  # fmt: skip


def verify(site: Site, refuse: Refuse, otherwise: str, *, rewinds: bool = False) -> Step:
    """Return the step that asks the restored ledger itself whether it may be trusted.

    `refuse` is called with what is wrong; it raises. What `rewinds` may hold nothing newer than its instant.
    """

    def do(staging: Staging, state: State) -> None:
        found = site.restored(staging, state)
        if found is None:
            refuse(staging, state, "the restored cluster is gone")
            return
        sql = site.sql(staging, found)
        wrong = [
            *verification.problems(sql, _noting(state)),
            *_too_old(site, staging, state, sql),
            *_too_new(state, sql),
        ]
        if wrong:
            refuse(staging, state, "; ".join(wrong))
            return
        state.remark(
            f"{len(verification.CHECKS)} questions answered well; newest: {verification.newest(sql)}"
        )
        state.note(verified=True)

    return Step(
        name="Verify what was restored, before anybody trusts it",
        why="A job that says COMPLETED proves nothing: a damaged page or a missing end restores without "
        "complaint. The restored ledger itself must be asked.",
        commands=_questions(site, rewinds=rewinds),
        seen="Every line begins with `good`"
        + ("." if site.receipts is None else ", the one about payments from the receipts in S3, too."),
        otherwise=otherwise,
        done=lambda _, state: bool(state.get("verified")),
        do=do, within_s=site.within_s,
    )  # fmt: skip


def _questions(site: Site, *, rewinds: bool) -> str:
    """Return what a person types: each question, and whether the newest payments with a receipt are there."""
    asked = ((check.asks, str(check.wanted), check.sql) for check in verification.CHECKS)
    lines = [by_hand.questions(site.flag, site.secret, site.database, asked)]
    if rewinds:
        lines.append(by_hand.NOTHING_NEWER)
    if site.receipts is not None:
        lines.append(by_hand.receipts(site.receipts))
    return "\n".join(lines)


def _noting(state: State) -> Callable[[int, int, str], None]:
    def note(number: int, of: int, asks: str) -> None:
        state.progress = Progress(
            percent=100 * (number - 1) / of, detail=f"question {number} of {of}: {asks}"
        )

    return note


def _too_old(site: Site, staging: Staging, state: State, sql: Sql) -> list[str]:
    if site.receipts is None:
        state.remark("the receipts are out of reach: nothing to hold its age against")
        return []
    until = datetime.fromisoformat(state["restorable_utc"])
    seen = payments.found(staging, site.bucket(staging), state.last_healed_at, until, sql)
    if seen is None:
        state.remark("no receipt from before it to hold it against")
        return []
    there, looked = seen
    state.remark(f"{there} of the last {looked} payments with a receipt are there")
    return [] if there else [f"none of the last {looked} payments with a receipt from before it is there"]


def _too_new(state: State, sql: Sql) -> list[str]:
    """Only a rewind may not hold anything that happened after its instant."""
    at = state.get("rewound_to")
    if at is None:
        return []
    later = sql.one(f"SELECT count(*) FROM transfers WHERE committed_at > '{datetime.fromisoformat(at)}'")  # noqa: S608 - a parsed instant
    return [f"{later} transfers are newer than {at}"] if later else []


def delete_refused(site: Site) -> Step:
    """Return the step that deletes the clusters that were restored and refused."""
    return Step(
        name="Delete the clusters that were refused",
        why="They cost as much as a good one, and somebody may take one for it.",
        commands=f"""
        aws rds describe-db-clusters{site.flag} --query 'DBClusters[].DBClusterIdentifier'
        REFUSED={site.cluster}-restored-...  # one after the other; none: nothing is to be done
        for n in 1 2; do
          aws rds delete-db-instance{site.flag} --db-instance-identifier "$REFUSED-$n"
        done
        for n in 1 2; do
          aws rds wait db-instance-deleted{site.flag} --db-instance-identifier "$REFUSED-$n"
        done
        aws rds delete-db-cluster{site.flag} --db-cluster-identifier "$REFUSED" --skip-final-snapshot
        """,
        seen=f"No cluster is called `{site.cluster}-restored-*`.",
        done=lambda staging, state: not unused(site, staging, state),
        do=lambda staging, state: delete_unused(site, staging, state),
        within_s=site.within_s,
    )
