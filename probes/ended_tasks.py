"""Which tasks have ended, and how: asked of a staging while a drill runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blackstart.staging import Staging

ENDED = "ended tasks"  # the observation's name in the history
_TASKS_AT_ONCE = 100  # as many as AWS describes in one call


class EndedTasks:
    """Answers, when called, how each task ended that has ended since the first call."""

    def __init__(self, staging: Staging, cluster: str, service: str) -> None:
        self._staging = staging
        self._cluster = cluster
        self._service = service
        self._known: set[str] | None = None
        self._ended: dict[str, tuple[str, int | None]] = {}

    def __call__(self) -> dict[str, tuple[str, int | None]]:
        """Return stop codes and exit codes by the tasks' ids."""
        stopped = [task for task in self._stopping() if task["lastStatus"] == "STOPPED"]
        if self._known is not None:
            self._ended |= {_task_id(task["taskArn"]): _how_it_ended(task) for task in stopped}
        self._known = (self._known or set()) | {task["taskArn"] for task in stopped}
        return dict(self._ended)

    def _stopping(self) -> list[dict[str, Any]]:
        """Return the tasks that shall not run any more, but for those whose end is known already."""
        ecs = self._staging.aws("ecs")
        pages = ecs.get_paginator("list_tasks").paginate(
            cluster=self._cluster, serviceName=self._service, desiredStatus="STOPPED"
        )
        new = [arn for page in pages for arn in page["taskArns"] if arn not in (self._known or ())]
        found = []
        for start in range(0, len(new), _TASKS_AT_ONCE):
            some = new[start : start + _TASKS_AT_ONCE]
            found += ecs.describe_tasks(cluster=self._cluster, tasks=some)["tasks"]
        return found


def _task_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _how_it_ended(task: dict[str, Any]) -> tuple[str, int | None]:
    return task.get("stopCode", ""), task["containers"][0].get("exitCode")
