"""CloudWatch: the platform's metrics, its alarms evaluated for real, and who is told of them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict, deque
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import MetricAggregatedDatum

from staging.local.alarms import Judgement, Point, Rule, State, judge, series
from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.notices import notify
from staging.local.control_plane.platform import (
    DR_REGION,
    LEDGER,
    REGION,
    REGIONS,
    ZONES,
    Platform,
)
from staging.local.control_plane.seed_alarms import (
    ALB,
    CANARIES,
    CANARY,
    EVENTS,
    LEDGER_METRICS,
    alb_dimensions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.balancer import Balancer
    from staging.local.balancer_readings import Figures
    from staging.local.control_plane.front import Front
    from staging.local.timings import Timings

log = logging.getLogger(__name__)

_KEPT_S = 3600


class CloudWatch:
    """Lives in the event loop; `hosts` and `writer` may be called there as often as one likes."""

    def __init__(
        self, platform: Platform, balancer: Balancer, timings: Timings, writer_available: Callable[[], bool],
        *, lost: Callable[[str], bool] = lambda _: False, writer_reports_itself: bool = False,
    ) -> None:  # fmt: skip
        self._platform = platform
        self._balancer = balancer
        self._timings = timings
        self._writer_available = writer_available
        self._lost = lost  # a region that is lost measures nothing, and judges nothing
        self._writer_reports_itself = writer_reports_itself  # the planted defect: a dead one says nothing
        self._samples: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._history: deque[tuple[str, dict[str, Any]]] = deque(maxlen=1000)  # with the region

    def register(self, front: Front) -> None:
        """Answer for the history of alarms."""
        front.regional("cloudwatch", "DescribeAlarmHistory")(self._describe_history)

    async def run(self) -> None:
        """Sample, and at the end of each period publish and judge, for ever."""
        period_s = self._timings.alarm_period_s
        ends = (time.time() // period_s + 1) * period_s
        await asyncio.sleep(ends - time.time())  # the first period must be a whole one
        self._samples.clear()
        ends += period_s
        while True:
            self.writer(available=self._writer_available())
            if time.time() >= ends:
                await self._end_period(ends, period_s)
                ends += period_s
            await asyncio.sleep(min(self._timings.sample_every_s, max(0.0, ends - time.time())))

    def writer(self, *, available: bool) -> None:
        """Note whether the ledger takes writes; a period keeps the worst."""
        if available or not self._writer_reports_itself:
            self._samples["WriterAvailable", ""].append(float(available))

    def hosts(self, healthy: Mapping[str, int], unhealthy: Mapping[str, int]) -> None:
        """Note how many targets of each zone the load balancer finds healthy and unhealthy."""
        for name, counts in (("HealthyHostCount", healthy), ("UnHealthyHostCount", unhealthy)):
            self._samples[name, ""].append(sum(counts.values()))
            for zone in ZONES:
                self._samples[name, zone].append(counts.get(zone, 0))

    def canary(self, answered: bool) -> None:
        """Note whether the canary in the other region was answered well."""
        self._samples["SuccessPercent", ""].append(100.0 * answered)

    def triggered(self, rule: str) -> None:
        """Note that an event matched a rule of EventBridge."""
        self._samples["TriggeredRules", rule].append(1.0)

    async def _end_period(self, end_s: float, period_s: int) -> None:
        try:
            self._sample_traffic(await self._balancer.figures())
        except Exception:
            log.exception("the load balancer's figures are missing")
        self._publish(end_s - period_s)
        self._judge_all(end_s)

    def _sample_traffic(self, figures: Figures) -> None:
        # as on AWS: a count of zero is no datapoint
        if figures.requests:
            self._samples["RequestCount", ""] = [figures.requests]
            self._samples["TargetResponseTime", ""] = [figures.latency_ms_avg / 1000]
        if figures.http_5xx_target:
            self._samples["HTTPCode_Target_5XX_Count", ""] = [figures.http_5xx_target]
        if figures.http_5xx_alb:
            self._samples["HTTPCode_ELB_5XX_Count", ""] = [figures.http_5xx_alb]

    def _publish(self, start_s: float) -> None:
        """Write the period's datapoints into moto's state, where the API reads them too."""
        samples, self._samples = self._samples, defaultdict(list)
        at = datetime.fromtimestamp(start_s, UTC).replace(tzinfo=None)  # moto's times are naive
        oldest = datetime.fromtimestamp(start_s - _KEPT_S, UTC).replace(tzinfo=None)
        for region in REGIONS:
            _forget(backend("cloudwatch", region), oldest)
        for (name, part), values in samples.items():
            region, namespace, dimensions = self._place(name, part)
            if self._lost(region):
                continue
            named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
            datum = MetricAggregatedDatum(
                namespace, name, min(values), max(values), len(values), sum(values), named, at
            )
            backend("cloudwatch", region).metric_data.append(datum)

    def _place(self, name: str, part: str) -> tuple[str, str, dict[str, str]]:
        """Return a metric's region, namespace and dimensions; `part` is its zone or rule, or nothing."""
        if name == "SuccessPercent":
            return DR_REGION, CANARIES, {"CanaryName": CANARY}
        if name == "WriterAvailable":
            return REGION, LEDGER_METRICS, {"DBClusterIdentifier": LEDGER}
        if name == "TriggeredRules":
            return REGION, EVENTS, {"RuleName": part}
        dimensions = alb_dimensions(self._platform.load_balancer, self._platform.target_group, part)
        if name == "HTTPCode_ELB_5XX_Count":
            del dimensions["TargetGroup"]
        return REGION, ALB, dimensions

    def _judge_all(self, now_s: float) -> None:
        for region in REGIONS:
            if not self._lost(region):
                self._judge_region(region, now_s)

    def _judge_region(self, region: str, now_s: float) -> None:
        alarms = list(backend("cloudwatch", region).alarms.values())
        rules = [(alarm, rule) for alarm in alarms if (rule := Rule.of(alarm))]
        reach_s = max((rule.period_s * (rule.periods + 1) for _, rule in rules), default=0)
        points = _recent(region, now_s - reach_s)
        for alarm, rule in rules:
            key = _key(alarm.namespace, alarm.metric_name, alarm.dimensions)
            judgement = judge(series(points.get(key, ()), rule, now_s), rule, alarm.state_value)
            if judgement.state != alarm.state_value:
                self._change(region, alarm, rule, judgement)

    def _change(self, region: str, alarm: Any, rule: Rule, judgement: Judgement) -> None:
        before: State = alarm.state_value
        detail = json.dumps({"recentDatapoints": judgement.values, "period": rule.period_s})
        alarm.update_state(judgement.reason, detail, judgement.state)
        log.info("alarm.%s name=%s reason=%s", judgement.state, alarm.name, judgement.reason)
        history = json.dumps({
            "version": "1.0",
            "oldState": {"stateValue": before},
            "newState": {
                "stateValue": judgement.state, "stateReason": judgement.reason,
                "stateReasonData": json.loads(detail),
            },
        })  # fmt: skip
        summary = f"Alarm updated from {before} to {judgement.state}"
        self._remember(region, alarm, "StateUpdate", summary, history)
        if alarm.actions_enabled:
            for action in _actions(alarm, judgement.state):
                notify(action, alarm, before)
                self._remember(region, alarm, "Action", f"Successfully executed action {action}", "{}")

    def _remember(self, region: str, alarm: Any, kind: str, summary: str, detail: str) -> None:
        self._history.appendleft((region, {
            "AlarmName": alarm.name, "AlarmType": "MetricAlarm", "Timestamp": alarm.state_updated_timestamp,
            "HistoryItemType": kind, "HistorySummary": summary, "HistoryData": detail,
        }))  # fmt: skip

    def _describe_history(self, region: str, params: Mapping[str, Any]) -> dict[str, Any]:
        name, kind = params.get("AlarmName"), params.get("HistoryItemType")
        found = [
            item
            for where, item in list(self._history)
            if where == region
            and name in (None, item["AlarmName"])
            and kind in (None, item["HistoryItemType"])
            and _within(item["Timestamp"], params.get("StartDate"), params.get("EndDate"))
        ]
        if params.get("ScanBy") == "TimestampAscending":
            found.reverse()
        return {"AlarmHistoryItems": found[: int(params.get("MaxRecords", 100))]}


def _forget(cloudwatch: Any, oldest: datetime) -> None:
    """Forget datapoints that are older."""
    if cloudwatch.metric_data and cloudwatch.metric_data[0].timestamp < oldest:
        cloudwatch.metric_data = [datum for datum in cloudwatch.metric_data if datum.timestamp > oldest]


def _recent(region: str, since_s: float) -> dict[Any, list[Point]]:
    """Return a region's datapoints since then, by metric: the end of the list, which is in order of time."""
    since = datetime.fromtimestamp(since_s, UTC).replace(tzinfo=None)
    found = defaultdict(list)
    newest_first = reversed(backend("cloudwatch", region).metric_data)
    for datum in takewhile(lambda datum: _naive(datum.timestamp) >= since, newest_first):
        found[_key(datum.namespace, datum.name, datum.dimensions)].append(_point(datum))
    return found


def _point(datum: Any) -> Point:
    at_s = _naive(datum.timestamp).replace(tzinfo=UTC).timestamp()
    if isinstance(datum, MetricAggregatedDatum):
        return Point(
            at_s=at_s, minimum=datum.min, maximum=datum.max, total=datum.sum, count=datum.sample_count
        )
    return Point.of(at_s, datum.value)


def _key(namespace: str, name: str, dimensions: Any) -> tuple[str, str, frozenset[tuple[str, str]]]:
    return namespace, name, frozenset((dimension.name, dimension.value) for dimension in dimensions)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _within(moment: datetime, start: datetime | None, end: datetime | None) -> bool:
    return (start is None or _naive(start) <= moment) and (end is None or moment <= _naive(end))


def _actions(alarm: Any, state: State) -> list[str]:
    lists = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
    actions: list[str] = lists.get(state, alarm.insufficient_data_actions)
    return actions
