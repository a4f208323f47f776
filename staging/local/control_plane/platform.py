"""The platform's resources as the AWS API names them; made once by `seed`, then only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.staging import Safeguards

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "123456789012"  # moto's own default
REGION = "us-east-1"
DR_REGION = "us-west-2"
REGIONS = (REGION, DR_REGION)
ZONES = (f"{REGION}a", f"{REGION}b")

NAME = "bank"
SERVICE = "bank-api"
TARGET_GROUP = "bank-api"
LEDGER = "ledger"
INSTANCES = {"ledger-1": "data-a", "ledger-2": "data-b"}
CACHE = "cache"
SECRET = "ledger/password"  # noqa: S105 - its name, not its value
OWNER_SECRET = "ledger/owner"  # noqa: S105 - its name, not its value
SESSIONS = "sessions"
RECEIPTS = f"receipts-{ACCOUNT}"
DR_RECEIPTS = f"receipts-{DR_REGION}-{ACCOUNT}"
ZONE, RECORD = "bank.example.", "api.bank.example."  # where customers come to
TASK_PORT = 8080

TAGS = {
    "Environment": "staging",
    "Project": NAME,
    "CostCenter": "cc-1042",
    "DataClassification": "confidential",
    "blackstart": "allowed",
}


# The same ones as an account may have: every local drill goes through them.
SAFEGUARDS = Safeguards(
    region=DR_REGION,  # a drill takes the other one away
    table="blackstart",
    stop_parameter="/blackstart/stop",
    heal_function=f"arn:aws:lambda:{DR_REGION}:{ACCOUNT}:function:blackstart-heal",
    schedule_role=f"arn:aws:iam::{ACCOUNT}:role/blackstart-schedule",
)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Ids and ARNs of what `seed` made in one region."""

    region: str = REGION
    subnets: Mapping[str, str]  # "app-a" to its id
    security_group: str
    load_balancer: str
    target_group: str
    cluster: str
    service: str

    def subnet_name(self, subnet_id: str) -> str:
        """Return the name of a subnet by its id."""
        return next(name for name, known in self.subnets.items() if known == subnet_id)


@dataclass(frozen=True, kw_only=True)
class TwoRegions(Platform):
    """The platform of the first region, and what stands by in the other one."""

    topic: str
    standby: Platform


def zone_of(subnet: str) -> str:
    """Return the availability zone of a subnet: "app-a" lies in us-east-1a, "west-app-a" in us-west-2a."""
    region = DR_REGION if subnet.startswith("west-") else REGION
    return f"{region}{subnet[-1]}"


def arn(service: str, resource: str, region: str = REGION) -> str:
    """Name a resource of this account."""
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


ON_DEMAND_INSTEAD = arn("lambda", "function:on-demand-instead")


def tag_list(extra: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Return the platform's tags, and more, as most services take them."""
    return [{"Key": key, "Value": value} for key, value in {**TAGS, **(extra or {})}.items()]
