"""What the Spot faults share: which tasks a service runs, on what capacity, and how they are taken away."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from blackstart.fault import NothingToBreak, Target
from blackstart.staging import SpotMarket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from blackstart.staging import Staging

SPOT = "FARGATE_SPOT"
INTERRUPTED, STOPPED_BY_CALL = "SpotInterruption", "UserInitiated"
_ASKED_AT_ONCE = 100  # as many tasks as AWS describes in one call


def running_tasks(staging: Staging, cluster: str, service: str) -> list[dict[str, Any]]:
    """Return the service's tasks that shall run, oldest first."""
    pages = staging.aws("ecs").get_paginator("list_tasks")
    arns = [
        arn
        for page in pages.paginate(cluster=cluster, serviceName=service, desiredStatus="RUNNING")
        for arn in page["taskArns"]
    ]
    return sorted(described(staging, cluster, arns), key=lambda task: task["createdAt"])


def described(staging: Staging, cluster: str, arns: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the ECS API says of these tasks; AWS forgets stopped ones after an hour."""
    ecs, found = staging.aws("ecs"), []
    for start in range(0, len(arns), _ASKED_AT_ONCE):
        some = list(arns[start : start + _ASKED_AT_ONCE])
        found += ecs.describe_tasks(cluster=cluster, tasks=some, include=["TAGS"])["tasks"]
    return found


def spot_tasks(tasks: Sequence[dict[str, Any]], service: str) -> list[dict[str, Any]]:
    """Return those on Spot capacity that run. Raises NothingToBreak when there is none."""
    found = [task for task in tasks if task.get("capacityProviderName") == SPOT and _runs(task)]
    if not found:
        raise NothingToBreak(
            f"{service} runs {len(tasks)} tasks, and none of them on Spot capacity: more tasks are needed "
            "than its base on demand (`blackstart up --tasks 4`)"
        )
    return found


def by_provider(tasks: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count tasks by what they run on; the ones that are only starting do not count."""
    return dict(sorted(Counter(task["capacityProviderName"] for task in tasks if _runs(task)).items()))


def targets(tasks: Iterable[dict[str, Any]]) -> tuple[Target, ...]:
    """Return the tasks as targets, each with the tags that it carries now."""
    return tuple(
        Target(kind="ECS task", id=task["taskArn"].rpartition("/")[2], arn=task["taskArn"], tags=tags(task))
        for task in tasks
    )


def share(
    service: str, taken: Iterable[dict[str, Any]], of: Iterable[dict[str, Any]]
) -> dict[str, dict[str, list[str]]]:
    """Return which of the service's tasks are taken, for the plan."""
    ids = [[task["taskArn"].rpartition("/")[2] for task in tasks] for tasks in (taken, of)]
    return {f"tasks of {service}": {"taken": ids[0], "of": ids[1]}}


def tags(resource: dict[str, Any]) -> dict[str, str]:
    """Return the tags of anything that ECS describes."""
    return {tag["key"]: tag["value"] for tag in resource.get("tags", [])}


def reclaim(staging: Staging, cluster: str, tasks: Sequence[str]) -> None:
    """Take the capacity of these tasks back, all at once.

    AWS lets nobody do so on demand: there they are stopped one after the other, which ends them with the same
    signals, but says "UserInitiated", and takes each out of its target group before.
    """
    market = staging.power(SpotMarket)
    if market is not None:
        market.reclaim(tasks)
        return
    for task in tasks:
        staging.aws("ecs").stop_task(cluster=cluster, task=task, reason="In place of a Spot interruption")


def reclaiming(staging: Staging) -> tuple[str, str]:
    """Return how tasks are reclaimed here: the call for the plan, and the stop code that it leaves."""
    if staging.power(SpotMarket) is None:
        return "ecs:StopTask", STOPPED_BY_CALL
    return "local:ReclaimSpot", INTERRUPTED


def _runs(task: dict[str, Any]) -> bool:
    return bool(task["desiredStatus"] == "RUNNING" and task["lastStatus"] == "RUNNING")
