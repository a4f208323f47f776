"""What a task is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

from staging.local.bank.defects import Defects

if TYPE_CHECKING:
    from collections.abc import Mapping


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port`."""
        host, _, port = text.rpartition(":")
        return cls(host, int(port))


class Target(NamedTuple):
    """What the task is to its load balancer."""

    group: str  # the target group's ARN
    ip: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that differs between one task and another."""

    listen: Address
    task: str
    zone: str
    writer: Address
    reader: Address
    database: str
    cache: Address
    aws_endpoint: str
    aws_credentials: tuple[str, str]
    region: str
    session_table: str
    receipt_bucket: str
    secret: str
    target: Target | None  # None: behind no load balancer
    defects: Defects

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the task's environment; a KeyError names what is missing, a ValueError what is wrong."""
        return cls(
            listen=Address(environment["LISTEN_HOST"], int(environment["LISTEN_PORT"])),
            task=environment["TASK_ID"],
            zone=environment["AZ"],
            writer=Address.parse(environment["LEDGER_WRITER"]),
            reader=Address.parse(environment["LEDGER_READER"]),
            database=environment["LEDGER_DATABASE"],
            cache=Address.parse(environment["CACHE"]),
            aws_endpoint=environment["AWS_ENDPOINT_URL"],
            aws_credentials=_credentials(environment),
            region=environment["AWS_REGION"],
            session_table=environment["SESSION_TABLE"],
            receipt_bucket=environment["RECEIPT_BUCKET"],
            secret=environment["SECRET_ID"],
            target=_target(environment),
            defects=Defects.parse(environment.get("DEFECTS", "")),
        )


def _target(environment: Mapping[str, str]) -> Target | None:
    group = environment.get("TARGET_GROUP")
    if not group:
        return None
    ip, _, port = environment["TARGET"].rpartition(":")
    return Target(group, ip, int(port))


def _credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    # without any, the SDK would spend seconds of the start on looking for an instance's metadata service
    key_id = environment.get("AWS_ACCESS_KEY_ID", "bank-task")
    return key_id, environment.get("AWS_SECRET_ACCESS_KEY", "bank-task")
