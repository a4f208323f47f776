"""The ledger's second copy, in the account: with it another machine can heal when this one is lost.

One DynamoDB item per entry, in its latest state. It is written before `Ledger.open` returns, so before
anything is touched, and in one transaction with a look at the lease: who does not hold it opens nothing.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_fixed

from blackstart.choke import Refused
from blackstart.ledger import entry_of

if TYPE_CHECKING:
    from blackstart.lease import Lease
    from blackstart.ledger import Entry, Ledger
    from blackstart.own import Own

_PREFIX = "entry#"
_TRIES, _PAUSE_S = 5, 0.1
_KEPT_DAYS = 90  # of an entry that is healed; the table's time to live removes it


class NotCopied(Refused):
    """The account has no copy of an entry, so nothing may rest on it."""


class AccountLedger:
    """The entries of one environment in the account."""

    def __init__(self, own: Own, lease: Lease) -> None:
        self._own = own
        self._lease = lease

    def put(self, entry: Entry) -> None:
        """Write an entry down as it is now. Raises NotCopied, also when the lease is no longer ours."""
        item = {
            "environment": {"S": self._own.environment}, "item": {"S": _PREFIX + entry.id},
            "state": {"S": entry.state}, "entry": {"S": json.dumps(asdict(entry))},
            "fence": {"N": str(self._lease.token)},
        }  # fmt: skip
        if entry.state != "open":
            item["ends"] = {"N": str(int(time.time()) + _KEPT_DAYS * 86400)}
        self._write_together(entry, {"Put": {"TableName": self._own.safeguards.table, "Item": item}})

    def confirm(self, entry: Entry) -> None:
        """Raise NotCopied unless the entry is open in the account, and the lease ours, in the same moment."""
        self._write_together(entry, {"ConditionCheck": {
            "TableName": self._own.safeguards.table, "Key": self._key(entry.id),
            "ConditionExpression": "#state = :open", "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":open": {"S": "open"}},
        }})  # fmt: skip

    def _key(self, entry_id: str) -> dict[str, Any]:
        return {"environment": {"S": self._own.environment}, "item": {"S": _PREFIX + entry_id}}

    def _write_together(self, entry: Entry, item: dict[str, Any]) -> None:
        """Do this in one transaction with a look at the lease. Raises NotCopied."""
        # the lease may be renewed in the same moment
        again = Retrying(
            retry=retry_if_exception(_in_conflict), stop=stop_after_attempt(_TRIES),
            wait=wait_fixed(_PAUSE_S), reraise=True,
        )  # fmt: skip
        try:
            again(
                self._own.dynamodb.transact_write_items,
                TransactItems=[{"ConditionCheck": self._lease.check()}, item],
            )
        except ClientError as error:
            raise NotCopied(f"the account's ledger refused entry {entry.id}: {_why(error)}") from error
        except BotoCoreError as error:
            raise NotCopied(f"the account's ledger did not answer: {error}") from error

    def state(self, entry_id: str) -> str | None:
        """Return "open" or "healed", None for an entry that the account does not know."""
        item = self._own.dynamodb.get_item(
            TableName=self._own.safeguards.table, Key=self._key(entry_id), ConsistentRead=True
        ).get("Item")
        return str(item["state"]["S"]) if item else None

    def open_entries(self) -> tuple[Entry, ...]:
        """Return what is open in the account, from whatever machine, in the order of opening."""
        pages = self._own.dynamodb.get_paginator("query").paginate(
            TableName=self._own.safeguards.table,
            KeyConditionExpression="environment = :here AND begins_with(#item, :prefix)",
            FilterExpression="#state = :open",
            ExpressionAttributeNames={"#item": "item", "#state": "state"},
            ExpressionAttributeValues={
                ":here": {"S": self._own.environment}, ":prefix": {"S": _PREFIX}, ":open": {"S": "open"},
            },
            ConsistentRead=True,
        )  # fmt: skip
        found = [entry_of(json.loads(item["entry"]["S"])) for page in pages for item in page["Items"]]
        return tuple(sorted(found, key=lambda entry: entry.plan.prepared_at))


def fetch(account: AccountLedger, ledger: Ledger) -> int:
    """Take what is open in the account into the ledger on disk; return how many entries were new there."""
    known = {entry.id for entry in ledger.entries()}
    new = [entry for entry in account.open_entries() if entry.id not in known]
    for entry in new:
        ledger.take(entry)
    return len(new)


def settle(account: AccountLedger, ledger: Ledger) -> None:
    """Close in the ledger on disk what another machine has healed since."""
    for entry in ledger.open_entries():
        if account.state(entry.id) == "healed":
            ledger.close(entry.id, "healed from another machine")


def check_nothing_open(account: AccountLedger, ledger: Ledger) -> None:
    """Refuse to start while another machine has left something open.

    What this one has closed, and could not say so there, is closed there too.
    """
    ours = {entry.id: entry for entry in ledger.entries()}
    open_there = account.open_entries()
    for entry in open_there:
        if entry.id in ours and ours[entry.id].state != "open":
            account.put(ours[entry.id])
    theirs = [entry for entry in open_there if entry.id not in ours]
    if theirs:
        names = ", ".join(f"{entry.fault.rpartition(':')[2]} ({entry.drill})" for entry in theirs)
        raise Refused(f"another machine left open: {names}. Run: blackstart heal --from-account")


def _why(error: ClientError) -> str:
    return (
        "the lease is no longer ours, or it is healed"
        if "ConditionalCheckFailed" in str(error)
        else str(error)
    )


def _in_conflict(error: BaseException) -> bool:
    return isinstance(error, ClientError) and "TransactionConflict" in str(error)
