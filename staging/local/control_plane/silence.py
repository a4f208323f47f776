"""A region whose AWS API answers nothing: on request, which no AWS API lets anybody do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from waitress.channel import ClientDisconnected

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import REGION
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.platform import Platform
    from staging.local.control_plane.protocol import Call

# Route 53 belongs to no region. On AWS its changes go through us-east-1; when that is lost they are possible
# again within 60 minutes, for a hosted zone with accelerated recovery. Here they are possible at once.
_OF_NO_REGION = frozenset({"route53"})
# How long a call is left without an answer. Longer, and the calls to come would find nobody to answer them.
_HELD_S = 3.0


class Silence:
    """Whether the API of the first region answers; asked from anywhere."""

    def __init__(self, platform: Platform) -> None:
        self._vpc = str(backend("ec2").get_subnet(platform.subnets["public-a"]).vpc_id)
        self._awake = threading.Event()
        self._awake.set()

    def lost(self, region: str) -> bool:
        """Tell whether the API of this region answers nothing."""
        return region == REGION and not self._awake.is_set()

    def register(self, front: Front) -> None:
        """Keep callers waiting, and answer those who decide over it."""
        front.gate(self._hold)
        front.local("SilenceRegion")(self._setting(self._awake.clear))
        front.local("WakeRegion")(self._setting(self._awake.set))
        front.local("DescribeRegion")(self._setting(lambda: None))

    def _hold(self, call: Call) -> None:
        """Let the caller wait in vain, then hang up without a word."""
        if self.lost(call.region) and call.service not in _OF_NO_REGION:
            self._awake.wait(_HELD_S)
            raise ClientDisconnected  # not the client's doing: it is how the server is told to say nothing

    def _setting(self, change: Callable[[], None]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        def set_it(asked: Mapping[str, Any]) -> dict[str, Any]:
            if asked.get("vpc") != self._vpc:
                raise AwsError(
                    "InvalidVpcID.NotFound", f"The vpc ID '{asked.get('vpc')}' does not exist in {REGION}."
                )
            change()
            return {"silent": self.lost(REGION)}

        return set_it
