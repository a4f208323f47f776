"""The system under test, as everything but `staging/` sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection

AnyPower = TypeVar("AnyPower")
Damage = Literal["byte", "wal", "table", "key"]


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

    @property
    def environment(self) -> str:
        """What drills break, whatever its file is called: "ACCOUNT:REGION"."""
        return f"{self.account}:{self.region}"


@dataclass(frozen=True, kw_only=True)
class Safeguards:
    """What in the account keeps drills safe beyond this machine. Each is optional: "" or () is none."""

    region: str = ""  # where table, schedule, function and parameter are; not one that a drill takes away
    table: str = ""  # a DynamoDB table: the ledger's second copy, and the lease
    stop_parameter: str = ""  # an SSM parameter: unless it says "go", drills stop
    safety_lever: str = ""  # the id of an FIS safety lever, mostly "default": engaged, drills stop
    alarms: tuple[str, ...] = ()  # CloudWatch alarms that stop a drill unless they are OK
    budget_percent: float = 25.0  # of thirty days' error budget, that one drill may spend
    heal_function: str = ""  # the ARN of the Lambda function that heals when no runner is left
    schedule_role: str = ""  # the ARN of the role as which EventBridge Scheduler calls it


class Staging(Protocol):
    """An AWS account, or its local double: nobody outside `staging/` can tell them apart."""

    @property
    def facts(self) -> Facts:
        """What the record says of this staging."""

    def aws(self, service: str, region: str = "") -> Any:
        """Return a boto3 client of this staging's account, behind the choke point; of its own region if "".

        Another region is where backups are copied to.
        """

    def power(self, kind: type[AnyPower]) -> AnyPower | None:
        """Return an optional power of this staging, behind the choke point; None when it has no such one."""


@runtime_checkable
class Safeguarded(Protocol):
    """A staging that knows of safeguards in its account."""

    @property
    def safeguards(self) -> Safeguards:
        """Which there are."""


@runtime_checkable
class Credentialed(Protocol):
    """A staging that works with credentials of somebody's: not the double, which checks none."""

    def secrets(self) -> Collection[str]:
        """What of the credentials that this process has resolved must never be told."""


class PowerFailed(Exception):
    """An optional power could not be used; the message says why."""


class SpotMarket(Protocol):
    """An optional power: decide over Spot capacity, which no AWS API lets anybody do on demand."""

    def reclaim(self, tasks: Collection[str]) -> None:
        """Interrupt these tasks (ARNs), all at once, as AWS does; the call "local:ReclaimSpot"."""

    def withhold(self, cluster: str) -> None:
        """Give this cluster (ARN) no new Spot task from now on; the call "local:WithholdSpot"."""

    def offer(self, cluster: str) -> None:
        """Have Spot capacity for this cluster again; idempotent; the call "local:OfferSpot"."""

    def withheld(self, cluster: str) -> bool:
        """Tell whether Spot capacity is withheld from this cluster."""


class RegionOutage(Protocol):
    """An optional power: take the AWS API of a whole region away, which no AWS API lets anybody do.

    The region is the one where a VPC lies: that bears the tags which say whether it may be touched.
    """

    def silence(self, vpc: str) -> None:
        """Let the region's API answer nothing from now on; the call "local:SilenceRegion"."""

    def wake(self, vpc: str) -> None:
        """Let it answer again; idempotent; the call "local:WakeRegion"."""

    def silent(self, vpc: str) -> bool:
        """Tell whether it answers nothing."""


class Damageable(Protocol):
    """An optional power: damage a backup where it lies, which no AWS API lets anybody do."""

    def damage(self, recovery_point: str, how: Damage) -> str:
        """Damage this recovery point (ARN), say what was changed; the call "local:DamageRecoveryPoint"."""

    def is_damaged(self, recovery_point: str) -> bool:
        """Tell whether that was ever asked for, whatever came of it."""
