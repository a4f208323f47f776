"""One drill per account and region across machines: a lease in DynamoDB, with a fencing token.

Whoever takes the lease gets a higher token than everybody before. Each write of the account's ledger checks
the token in the same transaction, and nothing is injected before that write: a runner that lost its lease,
even one whose clock is wrong or that slept for an hour, can break nothing any more.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from blackstart.choke import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.own import Own

LEASE_S = 60.0
RENEW_EVERY_S = 10.0
_ITEM = "lease"
_FREE = "attribute_not_exists(holder) OR holder = :nobody OR holder = :me OR held_until < :now"


class Leased(Refused):
    """Another machine drills or heals on this environment."""


class Lease:
    """The lease of one environment, in our hands or not."""

    def __init__(self, own: Own, holder: str, token: int = 0) -> None:
        self._own = own
        self._holder = holder
        self.token = token

    @property
    def key(self) -> dict[str, Any]:
        """Where it lies in the table."""
        return {"environment": {"S": self._own.environment}, "item": {"S": _ITEM}}

    def take(self, drill: str) -> int:
        """Take it, and return the fencing token. Raises Leased.

        The same holder may take it again: it holds the lock of its machine, so nobody else lives there.
        """
        values = {":nobody": {"S": ""}, ":now": _number(time.time()), ":drill": {"S": drill}}
        try:
            taken = self._update(
                "SET holder = :me, held_until = :until, drill = :drill ADD fence :one", _FREE,
                {**values, ":one": {"N": "1"}},
            )  # fmt: skip
        except ClientError as error:
            if not _condition_failed(error):
                raise
            raise Leased(f"{self._own.environment} is leased {self._who()}") from error
        self.token = int(taken["fence"]["N"])
        return self.token

    def renew(self) -> bool:
        """Hold it for longer; tell whether it is still ours."""
        values = {":token": {"N": str(self.token)}}
        try:
            self._update("SET held_until = :until", "holder = :me AND fence = :token", values)
        except ClientError as error:
            if not _condition_failed(error):
                raise
            return False
        return True

    def release(self) -> None:
        """Give it back, if it is still ours."""
        values = {":token": {"N": str(self.token)}, ":nobody": {"S": ""}}
        try:
            self._update(
                "SET holder = :nobody, held_until = :until", "holder = :me AND fence = :token", values
            )
        except ClientError as error:
            if not _condition_failed(error):
                raise

    def check(self) -> dict[str, Any]:
        """Return what a transaction must check so that only the holder of the lease may write."""
        return {
            "TableName": self._own.safeguards.table,
            "Key": self.key,
            "ConditionExpression": "fence = :token",
            "ExpressionAttributeValues": {":token": {"N": str(self.token)}},
        }

    def _update(self, expression: str, condition: str, values: dict[str, Any]) -> dict[str, Any]:
        answer = self._own.dynamodb.update_item(
            TableName=self._own.safeguards.table, Key=self.key, UpdateExpression=expression,
            ConditionExpression=condition, ReturnValues="ALL_NEW",
            ExpressionAttributeValues={
                **values, ":me": {"S": self._holder}, ":until": _number(time.time() + LEASE_S),
            },
        )  # fmt: skip
        attributes: dict[str, Any] = answer["Attributes"]
        return attributes

    def _who(self) -> str:
        item = self._own.dynamodb.get_item(
            TableName=self._own.safeguards.table, Key=self.key, ConsistentRead=True
        ).get("Item")
        if not item:
            return "to somebody"
        until = datetime.fromtimestamp(float(item["held_until"]["N"]), UTC)
        return f"to {item['holder']['S']} for {item['drill']['S']} until {until:%H:%M:%S} UTC"


def holder_of(place: Path) -> str:
    """Return the name by which this staging's folder on this machine holds leases, made at the first use."""
    path = place / "holder"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex[:12])
    return path.read_text()


def _number(seconds: float) -> dict[str, str]:
    return {"N": f"{seconds:.3f}"}


def _condition_failed(error: ClientError) -> bool:
    return bool(error.response["Error"]["Code"] == "ConditionalCheckFailedException")
