"""The steps of a cut-over: the restored cluster takes the name, and with it the endpoints, of the old one.

Endpoints follow the name, so nothing that uses the ledger is told anything: pools lose their connections and
find the new cluster when they connect again.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from blackstart.runbook import Step
from runbooks import aurora, by_hand, data_api

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import Staging
    from runbooks.site import Site

_WHO = "SELECT aurora_db_instance_identifier()"
KEEP, DELETE = "keep", "delete"
_NOBODY: dict[str, Any] = {"DBClusterMembers": []}


def steps(site: Site, old: str) -> tuple[Step, ...]:
    """Return the steps, with the deletion of the old cluster when that was told."""
    always = (_move_away(site), _take_instance_names(site), _take_name(site), _see_it_used(site))
    return (*always, _delete_old(site)) if old == DELETE else always


def check(old: str) -> None:
    """Raise ValueError for a word that says nothing of the old cluster."""
    if old not in (KEEP, DELETE):
        raise ValueError(f"old is {old!r}: {KEEP!r} or {DELETE!r} was expected")


def undo(site: Site, staging: Staging, state: State) -> None:
    """Give the old cluster its names back, if it had to give them up."""
    old = state.get("old")
    found = aurora.by_resource(staging, site.region, old["resource"]) if old else None
    if not old or found is None:
        return
    if found["DBClusterIdentifier"] != site.cluster:
        aurora.rename_cluster(staging, site.region, found["DBClusterIdentifier"], site.cluster, site.within_s)
    back = {away: name for name, away in old["instances"].items()}
    there = {away: name for away, name in back.items() if aurora.instance(staging, site.region, away)}
    aurora.rename_instances(staging, site.region, there, site.within_s)
    state.remark(f"{site.cluster} has its name back")


def give_back_instance_names(site: Site, staging: Staging, state: State) -> None:
    """Give the instances of the restored cluster the names that they had before the cut-over."""
    found = aurora.by_resource(staging, site.region, state["resource"])
    taken = {name: was for was, name in _names(site, state).items()}
    back = {name: taken[name] for name in aurora.members(found or _NOBODY) if name in taken}
    aurora.rename_instances(staging, site.region, back, site.within_s)


def delete_old(site: Site, staging: Staging, state: State) -> None:
    """Delete the cluster that gave its name up."""
    found = _old(site, staging, state)
    if found is not None:
        aurora.delete(staging, site.region, found["DBClusterIdentifier"], site.within_s)
        state.remark(f"deleted {found['DBClusterIdentifier']}")


def _old(site: Site, staging: Staging, state: State) -> dict[str, Any] | None:
    old = state.get("old")
    return aurora.by_resource(staging, site.region, old["resource"]) if old else None


def _names(site: Site, state: State) -> dict[str, str]:
    """Return which name each new instance takes: those of the old instances, as far as there were any."""
    had = list((state.get("old") or {"instances": {}})["instances"])
    usual = [f"{site.cluster}-{number}" for number in range(1, len(state["instances"]) + 1)]
    free = had + [name for name in usual if name not in had]
    return dict(zip(state["instances"], sorted(free[: len(state["instances"])]), strict=True))


def _holder(site: Site, staging: Staging, state: State) -> dict[str, Any] | None:
    """Return who bears the name and is not the restored cluster."""
    found = aurora.cluster(staging, site.region, site.cluster)
    return None if found is None or found["DbClusterResourceId"] == state["resource"] else found


def _move_away(site: Site) -> Step:
    def done(staging: Staging, state: State) -> bool:
        if _holder(site, staging, state) is not None:
            return False
        found = _old(site, staging, state)
        return found is None or not set(aurora.members(found)) & set(state["old"]["instances"])

    def do(staging: Staging, state: State) -> None:
        holder = _holder(site, staging, state)
        if holder is not None and not state.get("old"):
            _note_old(site, state, holder)
        old = state["old"]
        aurora.rename_cluster(staging, site.region, site.cluster, old["cluster"], site.within_s)
        aurora.rename_instances(staging, site.region, old["instances"], site.within_s)
        state.remark(f"{site.cluster} is now {old['cluster']}")

    return Step(
        name="Move the old cluster out of the way, if there is one",
        why="From here on the bank cannot write, so that nothing more is written to what is given up.",
        commands=f"""
        aws rds describe-db-clusters{site.flag} --db-cluster-identifier {site.cluster} --output text \\
          --query 'DBClusters[0].DBClusterMembers[].DBInstanceIdentifier'
        # DBClusterNotFoundFault: there is none, go on with the next step. Other names than
        # {site.cluster}-1 and {site.cluster}-2: take those instead, here and below
        aws rds modify-db-cluster{site.flag} --db-cluster-identifier {site.cluster} \\
          --new-db-cluster-identifier {site.cluster}-old --apply-immediately
        {by_hand.cluster_is_available(site.flag, f"{site.cluster}-old")}
        for n in 1 2; do
          aws rds modify-db-instance{site.flag} --db-instance-identifier {site.cluster}-$n \\
            --new-db-instance-identifier {site.cluster}-old-$n --apply-immediately
        done
        for n in 1 2; do
          {by_hand.instance_is_available(site.flag, f"{site.cluster}-old-$n")}
        done
        """,
        seen=f"`aws rds describe-db-clusters{site.flag} --query 'DBClusters[].DBClusterIdentifier'` shows no "
        f"`{site.cluster}`, and `{site.cluster}-old` if there was one.",
        otherwise=f"take it back: the same with `{site.cluster}-old` and `{site.cluster}` exchanged.",
        done=done, do=do, within_s=site.within_s,
    )  # fmt: skip


def _note_old(site: Site, state: State, holder: dict[str, Any]) -> None:
    suffix = f"old-{state.id[:6]}"
    away = {name: f"{name}-{suffix}" for name in sorted(aurora.members(holder))}
    cluster = f"{site.cluster}-{suffix}"
    state.created(cluster, holder["DBClusterArn"], *away.values())
    state.note(old={"cluster": cluster, "resource": holder["DbClusterResourceId"], "instances": away})


def _take_instance_names(site: Site) -> Step:
    def done(staging: Staging, state: State) -> bool:
        found = aurora.by_resource(staging, site.region, state["resource"])
        return aurora.serves(staging, site.region, found, _names(site, state).values())

    def do(staging: Staging, state: State) -> None:
        names = _names(site, state)
        state.created(*names.values())
        aurora.rename_instances(staging, site.region, names, site.within_s)

    return Step(
        name="Give the new instances the old names",
        why="Renaming restarts an instance: now nobody uses it yet.",
        commands=f"""
        for n in 1 2; do
          aws rds modify-db-instance{site.flag} --db-instance-identifier "$NEW-$n" \\
            --new-db-instance-identifier {site.cluster}-$n --apply-immediately
        done
        for n in 1 2; do
          {by_hand.instance_is_available(site.flag, f"{site.cluster}-$n")}
        done
        """,
        seen="Both instances are `available` under their new names: the loop has ended.",
        done=done, do=do, within_s=site.within_s,
    )  # fmt: skip


def _take_name(site: Site) -> Step:
    def done(staging: Staging, state: State) -> bool:
        found = aurora.cluster(staging, site.region, site.cluster)
        return found is not None and (found["DbClusterResourceId"], found["Status"]) == (
            state["resource"], "available",
        )  # fmt: skip

    def do(staging: Staging, state: State) -> None:
        found = aurora.by_resource(staging, site.region, state["resource"])
        if found is not None:
            name = found["DBClusterIdentifier"]
            aurora.rename_cluster(staging, site.region, name, site.cluster, site.within_s)
        renamed = aurora.cluster(staging, site.region, site.cluster)
        if renamed is not None:
            state.created(renamed["DBClusterArn"])

    return Step(
        name="Give the new cluster the name",
        why="The endpoints follow the name: from here on the bank finds the restored ledger.",
        commands=f"""
        aws rds modify-db-cluster{site.flag} --db-cluster-identifier "$NEW" \\
          --new-db-cluster-identifier {site.cluster} --apply-immediately
        {by_hand.cluster_is_available(site.flag, site.cluster)}
        aws rds describe-db-clusters{site.flag} --db-cluster-identifier {site.cluster} --output text \\
          --query 'DBClusters[0].[Status,DBClusterMembers[].DBInstanceIdentifier]'
        """,
        seen=f"`{site.cluster}` is `available`, with two members.",
        done=done, do=do, within_s=site.within_s,
    )  # fmt: skip


def _see_it_used(site: Site) -> Step:
    def done(staging: Staging, state: State) -> bool:
        found = aurora.cluster(staging, site.region, site.cluster)
        if found is None or not aurora.members(found):
            return False
        try:
            answers = site.sql(staging, found).one(_WHO)
        except (ClientError, BotoCoreError):
            return False
        ours = answers in aurora.members(found) and found["DbClusterResourceId"] == state["resource"]
        return ours and (bool(site.region) or _bank_is_ready(staging))

    return Step(
        name="See that the bank uses it",
        why="A name that was changed is not yet a connection that was made.",
        commands=f"""
        CLUSTER_ARN=$(aws rds describe-db-clusters{site.flag} --db-cluster-identifier {site.cluster} \\
          --query 'DBClusters[0].DBClusterArn' --output text)
        {data_api.command(site.flag, '"$CLUSTER_ARN"', site.secret, site.database, _WHO)}
        {"" if site.region else 'curl -fsS "$BANK_URL/health/ready"'}
        """,
        seen="The writer answers with its new name"
        + ("." if site.region else ", and the bank's deep health check is good."),
        done=done, do=lambda *_: None, within_s=site.within_s,
    )  # fmt: skip


def _bank_is_ready(staging: Staging) -> bool:
    url = f"{staging.facts.base_url}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - the staging's own address
            return bool(answer.status == http.client.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False


def _delete_old(site: Site) -> Step:
    return Step(
        name="Delete the old cluster",
        why="It costs as much as the new one, and nobody needs it any more.",
        commands=f"""
        for n in 1 2; do
          aws rds delete-db-instance{site.flag} --db-instance-identifier {site.cluster}-old-$n
        done
        for n in 1 2; do
          aws rds wait db-instance-deleted{site.flag} --db-instance-identifier {site.cluster}-old-$n
        done
        aws rds delete-db-cluster{site.flag} --db-cluster-identifier {site.cluster}-old --skip-final-snapshot
        """,
        seen=f"`aws rds describe-db-clusters{site.flag}` shows no cluster called `{site.cluster}-old`.",
        done=lambda staging, state: _old(site, staging, state) is None,
        do=lambda staging, state: delete_old(site, staging, state),
        within_s=site.within_s,
    )
