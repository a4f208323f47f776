"""Backup plans at work: on schedule, for whatever their selections find, and never more than disks hold."""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.backup.points import erase
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import REGIONS
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from staging.local.control_plane.backup.kinds import Kinds
    from staging.local.control_plane.backup.orders import Orders
    from staging.local.control_plane.backup.points import Vaults

log = logging.getLogger(__name__)

# of each resource and vault, of those made by plans: this machine's disk is not AWS's
KEPT = 10
KEPT_COPIES = 5
_LOOK_S = 0.5
LONG_AGO = timedelta(hours=2)
_HOURLY = re.compile(r"^cron\(\S+ (?:\*|(?:\*|\d+)/(?P<every>\d+)|(?P<at>[\d,]+)) .*\)$")
_RATE = re.compile(r"^rate\((?P<every>\d+) hours?\)$")


def hours_between(schedule: str) -> int:
    """Return how far apart the runs of a schedule are; AWS Backup knows nothing below an hour."""
    found = _RATE.match(schedule) or _HOURLY.match(schedule)
    if not found:
        raise AwsError("InvalidParameterValueException", f"ScheduleExpression {schedule} is not understood.")
    parts = found.groupdict()
    if parts.get("at"):
        return max(1, 24 // len(parts["at"].split(",")))
    return int(parts["every"] or 1)


class Plans:
    """An hour of the schedule takes `hour_s` here."""

    def __init__(
        self, orders: Orders, vaults: Vaults, kinds: Kinds, *, hour_s: float, defects: Iterable[str] = (),
        lost: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._orders = orders
        self._vaults = vaults
        self._kinds = kinds
        self._hour_s = hour_s
        self._stopped = "backups-stopped" in defects
        self._copies_stopped = "copies-stopped" in defects
        self._no_copies = "no-copies" in defects
        self._lost = lost
        self._due: dict[str, float] = {}
        self._runs: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run every rule now, and then on its schedule, for ever."""
        if self._stopped or self._copies_stopped:
            # the planted defects: what there is was made long ago, and nothing (no copy) since
            await self._run_all(dated_back=LONG_AGO)
        while not self._stopped:
            for region, plan, rule in self._rules():
                self._run_if_due(region, plan, rule)
            await asyncio.sleep(_LOOK_S)

    def _rules(self) -> Iterable[tuple[str, Any, Mapping[str, Any]]]:
        for region in (region for region in REGIONS if not self._lost(region)):
            for plan in list(backend("backup", region).plans.values()):
                if plan.deletion_date is None:
                    for rule in plan.backup_plan["Rules"]:
                        yield region, plan, rule

    def _run_if_due(self, region: str, plan: Any, rule: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now < self._due.get(rule["RuleId"], 0.0):
            return
        self._due[rule["RuleId"]] = now + hours_between(rule["ScheduleExpression"]) * self._hour_s
        run = asyncio.create_task(
            self._run(region, plan, rule, copies=not (self._copies_stopped or self._no_copies))
        )
        self._runs.add(run)
        run.add_done_callback(self._over)

    def _over(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        if not run.cancelled() and (error := run.exception()):
            log.error("a backup plan failed", exc_info=error)

    async def _run_all(self, dated_back: timedelta) -> None:
        for region, plan, rule in self._rules():
            await self._run(region, plan, rule, copies=True, dated_back=dated_back)

    async def _run(
        self, region: str, plan: Any, rule: Mapping[str, Any], *, copies: bool,
        dated_back: timedelta = timedelta(),
    ) -> None:  # fmt: skip
        for resource in self._selected(region, plan.backup_plan_id):
            job = self._orders.scheduled(region, plan, rule, resource)
            await self._orders.work.back_up(job, dated_back=dated_back)
            if job.state != "COMPLETED":
                log.warning("scheduled backup of %s: %s", resource, job.message)
                continue
            for action in rule.get("CopyActions", ()) if copies else ():
                copy = self._orders.scheduled_copy(job, action)
                await self._orders.work.copy(copy)
            await self._prune(resource)

    def _selected(self, region: str, plan_id: str) -> list[str]:
        selections = self._orders.selections(region, plan_id)
        return [
            resource
            for resource, tags in self._kinds.resources(region)
            if any(selects(selection, resource, tags) for selection in selections)
        ]

    async def _prune(self, resource: str) -> None:
        """Delete the oldest of those that plans made of a resource; locks do not make disks larger."""
        for region in REGIONS:
            by_vault: dict[tuple[str, bool], list[Any]] = {}
            for point in self._vaults.all(region):
                if point.resource_arn == resource and point.created_by:
                    by_vault.setdefault((point.vault, bool(point.source_vault_arn)), []).append(point)
            for (_, copied), points in by_vault.items():
                for point in points[KEPT_COPIES if copied else KEPT :]:
                    if not point.readers:
                        self._vaults.remove(point)
                        self._kinds.named(point.resource_type).forget(point)
                        await asyncio.to_thread(erase, point)


def selects(selection: Mapping[str, Any], resource: str, tags: Mapping[str, str]) -> bool:
    """Tell whether a selection takes this resource."""
    wanted, listed = selection.get("Resources"), selection.get("ListOfTags")
    if any(fnmatch.fnmatchcase(resource, pattern) for pattern in selection.get("NotResources") or ()):
        return False
    if wanted and not any(fnmatch.fnmatchcase(resource, pattern) for pattern in wanted):
        return False
    if listed and not any(tags.get(tag["ConditionKey"]) == tag["ConditionValue"] for tag in listed):
        return False
    equals = (selection.get("Conditions") or {}).get("StringEquals") or ()
    return all(
        tags.get(condition["ConditionKey"].removeprefix("aws:ResourceTag/")) == condition["ConditionValue"]
        for condition in equals
    ) and bool(wanted or listed or equals)
