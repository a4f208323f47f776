"""What the local staging can do beyond the AWS API: POST /_local/NAME with JSON, at the door of its API."""

from __future__ import annotations

import http.client
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from blackstart.staging import Damageable, PowerFailed, RegionOutage, SpotMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from blackstart.staging import Damage

_ANSWER_WITHIN_S = 60.0


class Door:
    """Where the local staging takes such calls."""

    def __init__(self, endpoint: str) -> None:
        self._netloc = urlsplit(endpoint).netloc

    def call(self, name: str, **parameters: object) -> dict[str, Any]:
        """Make one call. Raises PowerFailed when it was refused, or nobody answered."""
        connection = http.client.HTTPConnection(self._netloc, timeout=_ANSWER_WITHIN_S)
        try:
            connection.request("POST", f"/_local/{name}", json.dumps(parameters))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PowerFailed(f"{name}: no answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise PowerFailed(f"{name}: {answer['code']}: {answer['message']}")
        return answer


class LocalSpotMarket:
    """Implements `blackstart.staging.SpotMarket`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def reclaim(self, tasks: Collection[str]) -> None:
        """Interrupt these tasks, all at once."""
        self._door.call("ReclaimSpot", tasks=list(tasks))

    def withhold(self, cluster: str) -> None:
        """Give this cluster no new Spot task from now on."""
        self._door.call("WithholdSpot", cluster=cluster)

    def offer(self, cluster: str) -> None:
        """Have Spot capacity for this cluster again."""
        self._door.call("OfferSpot", cluster=cluster)

    def withheld(self, cluster: str) -> bool:
        """Tell whether Spot capacity is withheld from this cluster."""
        return bool(self._door.call("DescribeSpot", cluster=cluster)["withheld"])


class LocalRegionOutage:
    """Implements `blackstart.staging.RegionOutage`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def silence(self, vpc: str) -> None:
        """Let the API of the region where this VPC lies answer nothing from now on."""
        self._door.call("SilenceRegion", vpc=vpc)

    def wake(self, vpc: str) -> None:
        """Let it answer again."""
        self._door.call("WakeRegion", vpc=vpc)

    def silent(self, vpc: str) -> bool:
        """Tell whether it answers nothing."""
        return bool(self._door.call("DescribeRegion", vpc=vpc)["silent"])


class LocalDamageable:
    """Implements `blackstart.staging.Damageable`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def damage(self, recovery_point: str, how: Damage) -> str:
        """Damage this recovery point where it lies, say what was changed."""
        return str(self._door.call("DamageRecoveryPoint", recovery_point=recovery_point, how=how)["damaged"])

    def is_damaged(self, recovery_point: str) -> bool:
        """Tell whether that was ever asked for, whatever came of it."""
        return bool(self._door.call("DescribeDamage", recovery_point=recovery_point)["damaged"])


POWERS: Mapping[type[Any], Callable[[Door], Any]] = {
    SpotMarket: LocalSpotMarket,
    RegionOutage: LocalRegionOutage,
    Damageable: LocalDamageable,
}
