"""The ways in which the target fails on command, and what makes each of them an outage."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

AZS: Final = ("us-east-1a", "us-east-1b")
SLOWER_S: Final = 0.5
FLAP_S: Final = 0.25  # a flapping target is up and then down in each of these
FLAP_DOWN_S: Final = 0.15
GOOD_WITHIN_S: Final = 0.2  # what customers are promised; who is answered later was not served


class Kind(StrEnum):
    """What the target does during an outage."""

    REFUSED = "refused"  # nobody listens, and every connection is reset
    HUNG = "hung"  # requests are swallowed and never answered
    HTTP = "5xx"  # 503 at once
    SLOW = "slow"  # every answer comes half a second late
    STALLED = "stalled"  # it freezes, and answers everything at once when it wakes up
    FLAPPING = "flapping"  # 503 in turns: down 150 ms, up 100 ms
    HALF = "half"  # every other request gets a 503, by chance
    ENDPOINT = "one endpoint"  # 503 for transfers only
    AZ = "one AZ"  # 503 for what the load balancer sends to one of the two zones


WHOLE: Final = frozenset({Kind.REFUSED, Kind.HUNG, Kind.HTTP, Kind.SLOW})  # no request gets through
