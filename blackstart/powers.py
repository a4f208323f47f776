"""A staging's optional powers behind the choke point: like an AWS call, each use must be in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart import choke
from blackstart.choke import Seen
from blackstart.staging import Damageable, RegionOutage, SpotMarket

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from blackstart.choke import ChokePoint
    from blackstart.staging import Damage

SERVICE = "local"  # of their calls in a plan: "local:ReclaimSpot"


def behind_the_choke_point(kind: type[Any], power: Any, choke_point: ChokePoint) -> Any:
    """Return the power so that it acts only while an open ledger entry names the call and every target."""
    return _GUARDED[kind](power, choke_point)


class _Guarded:
    def __init__(self, power: Any, choke_point: ChokePoint) -> None:
        self._power = power
        self._choke_point = choke_point

    def _check(self, call: str, *targets: str) -> None:
        self._choke_point.pass_through(
            Seen(service=SERVICE, operation=call, region=self._choke_point.region,
                 params={"targetIds": targets}, role=choke.role())
        )  # fmt: skip


class _GuardedSpotMarket(_Guarded):
    def reclaim(self, tasks: Collection[str]) -> None:
        self._check("ReclaimSpot", *tasks)
        self._power.reclaim(tasks)

    def withhold(self, cluster: str) -> None:
        self._check("WithholdSpot", cluster)
        self._power.withhold(cluster)

    def offer(self, cluster: str) -> None:
        self._check("OfferSpot", cluster)
        self._power.offer(cluster)

    def withheld(self, cluster: str) -> bool:
        withheld: bool = self._power.withheld(cluster)
        return withheld


class _GuardedRegionOutage(_Guarded):
    def silence(self, vpc: str) -> None:
        self._check("SilenceRegion", vpc)
        self._power.silence(vpc)

    def wake(self, vpc: str) -> None:
        self._check("WakeRegion", vpc)
        self._power.wake(vpc)

    def silent(self, vpc: str) -> bool:
        silent: bool = self._power.silent(vpc)
        return silent


class _GuardedDamageable(_Guarded):
    def damage(self, recovery_point: str, how: Damage) -> str:
        self._check("DamageRecoveryPoint", recovery_point)
        said: str = self._power.damage(recovery_point, how)
        return said

    def is_damaged(self, recovery_point: str) -> bool:
        damaged: bool = self._power.is_damaged(recovery_point)
        return damaged


_GUARDED: Mapping[type[Any], type[_Guarded]] = {
    SpotMarket: _GuardedSpotMarket,
    RegionOutage: _GuardedRegionOutage,
    Damageable: _GuardedDamageable,
}
