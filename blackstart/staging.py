"""The system under test, as everything but `staging/` sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a drill's record says of the staging it ran on."""

    name: str  # "local" or the name of an AWS staging
    account: str
    region: str
    isolation: str  # how an AZ is made to go dark: "aws", "network namespaces" or "tcp wires"
    timings: str  # "aws", "aws-like" or "fast"
    base_url: str  # where the load goes
    versions: dict[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()  # planted on purpose; empty on a healthy staging
    generation: str = ""  # of a local staging: which `up` it came from; an ended one needs no healing


class Staging(Protocol):
    """An AWS account, or its local double: nobody outside `staging/` can tell them apart."""

    @property
    def facts(self) -> Facts:
        """What the record says of this staging."""

    def aws(self, service: str) -> Any:
        """Return a boto3 client of this staging's account and region, behind the choke point."""
