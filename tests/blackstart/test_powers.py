"""An optional power acts only while an open ledger entry names the call and every target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from blackstart.choke import ChokePoint, Refused
from blackstart.context import Guarded
from blackstart.fault import Plan, Target
from blackstart.ledger import Ledger
from blackstart.staging import AnyPower, Damageable, Facts, RegionOutage, SpotMarket

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class Market:
    def __init__(self) -> None:
        self.done: list[object] = []

    def reclaim(self, tasks: Collection[str]) -> None:
        self.done.append(list(tasks))

    def withhold(self, cluster: str) -> None:
        self.done.append(f"withhold {cluster}")

    def offer(self, cluster: str) -> None:
        self.done.append(f"offer {cluster}")

    def withheld(self, cluster: str) -> bool:
        return f"withhold {cluster}" in self.done


class Outage:
    def __init__(self) -> None:
        self.vpc: str | None = None

    def silence(self, vpc: str) -> None:
        self.vpc = vpc

    def wake(self, vpc: str) -> None:
        assert self.vpc == vpc
        self.vpc = None

    def silent(self, vpc: str) -> bool:
        return self.vpc == vpc


class Shop:
    """A staging with two powers."""

    def __init__(self) -> None:
        self.facts = Facts(name="t", account="", region="", isolation="", timings="", base_url="")
        self.market = Market()
        self.outage = Outage()

    def aws(self, service: str, region: str = "") -> Any:
        raise NotImplementedError(service, region)

    def power(self, kind: type[AnyPower]) -> AnyPower | None:
        powers: dict[Any, Any] = {SpotMarket: self.market, RegionOutage: self.outage}
        found: AnyPower | None = powers.get(kind)
        return found


def plan(*calls: str, targets: tuple[str, ...]) -> Plan:
    return Plan(targets=tuple(Target(kind="x", id=t) for t in targets), before={}, broken={}, calls=calls)


def market_of(shop: Shop, ledger: Ledger) -> SpotMarket:
    market = Guarded(shop, ChokePoint(ledger=ledger)).power(SpotMarket)
    assert market is not None
    return market


def test_a_power_that_the_staging_does_not_have_is_none(tmp_path: Path) -> None:
    assert Guarded(Shop(), ChokePoint(ledger=Ledger(tmp_path / "ledger.jsonl"))).power(Damageable) is None


def test_it_needs_an_open_entry_that_names_call_and_every_target(tmp_path: Path) -> None:
    shop, ledger = Shop(), Ledger(tmp_path / "ledger.jsonl")
    market = market_of(shop, ledger)

    with pytest.raises(Refused, match="local:ReclaimSpot"):
        market.reclaim(["task-1"])
    entry = ledger.open("drill", "faults.x:X", {}, plan("local:ReclaimSpot", targets=("task-1",)))
    with pytest.raises(Refused, match="task-2"):
        market.reclaim(["task-1", "task-2"])
    with pytest.raises(Refused, match="local:WithholdSpot"):
        market.withhold("task-1")
    market.reclaim(["task-1"])
    ledger.healed(entry.id, "read back")
    with pytest.raises(Refused, match="task-1"):
        market.reclaim(["task-1"])

    assert shop.market.done == [["task-1"]]


def test_looking_needs_no_entry(tmp_path: Path) -> None:
    shop, ledger = Shop(), Ledger(tmp_path / "ledger.jsonl")
    market = market_of(shop, ledger)
    ledger.open("d", "faults.x:X", {}, plan("local:WithholdSpot", "local:OfferSpot", targets=("bank",)))

    market.withhold("bank")
    market.offer("bank")

    assert market.withheld("bank")
    assert shop.market.done == ["withhold bank", "offer bank"]


def test_a_region_is_silenced_and_woken_only_by_an_open_entry(tmp_path: Path) -> None:
    shop, ledger = Shop(), Ledger(tmp_path / "ledger.jsonl")
    seen: list[tuple[str, str]] = []
    point = ChokePoint(
        ledger=ledger, region="us-east-1", seen=lambda call: seen.append((call.name, call.region))
    )
    outage = Guarded(shop, point).power(RegionOutage)
    assert outage is not None

    with pytest.raises(Refused, match="local:SilenceRegion"):
        outage.silence("vpc-1")
    calls = ("local:SilenceRegion", "local:WakeRegion")
    entry = ledger.open("drill", "faults.x:X", {}, plan(*calls, targets=("vpc-1",)))
    with pytest.raises(Refused, match="vpc-2"):
        outage.silence("vpc-2")
    outage.silence("vpc-1")
    assert outage.silent("vpc-1")
    outage.wake("vpc-1")
    ledger.healed(entry.id, "read back")
    with pytest.raises(Refused, match="vpc-1"):
        outage.silence("vpc-1")

    assert shop.outage.vpc is None
    assert seen == [(call, "us-east-1") for call in (*calls[:1] * 3, calls[1], calls[0])]
