"""Who is asking: pins, tokens, and the sessions in DynamoDB."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from staging.local.bank.http import Answer, Refusal, Request, Unavailable, whole_number
from staging.local.bank.log import Dependency
from staging.local.bank.single_flight import SingleFlight

if TYPE_CHECKING:
    from staging.local.bank.aws import Aws
    from staging.local.bank.defects import Defects
    from staging.local.bank.ledger import Ledger

SESSION_S = 3600
REMEMBERED_S = 60.0
REMEMBERED_MAX = 20_000
STORE_S = 1.5
ID_MAX = 2**31 - 1
THROTTLED_S = 8.0  # of the planted defect
THROTTLED_OF = 20

_PIN_HASH = "SELECT pin_hash FROM accounts WHERE id = $1"


class _Known(NamedTuple):
    account: int
    until: float


class Sessions:
    """Sessions by token, remembered for a minute: the store could not bear a call for every request.

    When the store does not answer and the token is not remembered, nobody gets in.
    """

    def __init__(self, aws: Aws, table: str, ledger: Ledger, defects: Defects) -> None:
        self._defects = defects
        self._opened: list[str] = []
        self._opened_first_at: float | None = None
        self._asked = 0
        self._aws = aws
        self._table = table
        self._ledger = ledger
        self._dependency = Dependency("session store")
        self._known: dict[str, _Known] = {}
        self._lookups: SingleFlight[str, int] = SingleFlight()

    async def login(self, request: Request) -> Answer:
        """Answer POST /login."""
        body = await request.json()
        account, pin = whole_number(body, "account", ID_MAX), body.get("pin")
        rows, _ = await self._ledger.read(_PIN_HASH, account)
        if not rows or not isinstance(pin, str) or not _pin_is_right(pin, rows[0]["pin_hash"]):
            raise Refusal(401, "wrong account or pin")
        token = secrets.token_urlsafe(24)
        expires_at = int(time.time()) + SESSION_S
        await self._store(
            "put_item",
            Item={
                "token": {"S": token},
                "account": {"N": str(account)},
                "expires_at": {"N": str(expires_at)},
            },
        )
        self._remember(token, account)
        if self._defects.sessions_deleted_on_sigterm:
            self._opened.append(token)
        self._opened_first_at = self._opened_first_at or time.monotonic()
        return 200, {"token": token}

    async def account_of(self, request: Request) -> int:
        """Return whose session this is."""
        scheme, _, token = request.header(b"authorization").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refusal(401, "no session")
        if self._defects.sessions_throttled_at_first:
            self._throttle()
        known = self._known.get(token)
        if known is not None and known.until > time.monotonic():
            return known.account
        return await self._lookups.join(token, lambda: self._look_up(token))

    async def forget_opened(self) -> None:
        """Plant the defect: delete every session that was opened here."""
        deletions = (self._store("delete_item", Key={"token": {"S": token}}) for token in self._opened)
        await asyncio.gather(*deletions, return_exceptions=True)

    def _throttle(self) -> None:
        """Plant the defect: refuse every twentieth request, as a table that has yet to scale."""
        self._asked += 1
        since_s = time.monotonic() - (self._opened_first_at or 0.0)
        if since_s < THROTTLED_S and self._asked % THROTTLED_OF == 0:
            raise Unavailable("ProvisionedThroughputExceededException")

    async def _look_up(self, token: str) -> int:
        answer = await self._store("get_item", Key={"token": {"S": token}}, ConsistentRead=True)
        item = answer.get("Item")
        if item is None or int(item["expires_at"]["N"]) < time.time():
            self._known.pop(token, None)
            raise Refusal(401, "unknown session")
        account = int(item["account"]["N"])
        self._remember(token, account)
        return account

    async def _store(self, operation: str, **parameters: object) -> dict[str, Any]:
        try:
            async with asyncio.timeout(STORE_S):
                answer = await self._aws.call("dynamodb", operation, TableName=self._table, **parameters)
        except (Unavailable, TimeoutError) as error:
            self._dependency.failed(error)
            raise Unavailable("the session store does not answer") from error
        self._dependency.answered()
        return answer

    def _remember(self, token: str, account: int) -> None:
        now = time.monotonic()
        if len(self._known) >= REMEMBERED_MAX:
            self._known = {held: known for held, known in self._known.items() if known.until > now}
        spread = random.uniform(0.8, 1.0)  # noqa: S311 - so that they are not forgotten all at once
        self._known[token] = _Known(account, now + REMEMBERED_S * spread)


def _pin_is_right(pin: str, pin_hash: str) -> bool:
    salt, _, digest = pin_hash.partition("$")
    return hmac.compare_digest(hashlib.sha256((salt + pin).encode()).hexdigest(), digest)
