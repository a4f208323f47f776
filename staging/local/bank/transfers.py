"""Money moves: one call of the ledger's function, safe to repeat with the same key."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import asyncpg

from staging.local.bank.cache import Balance, Cache
from staging.local.bank.http import Answer, Refusal, Request, Unavailable, whole_number
from staging.local.bank.ledger import ConnectionLost, Ledger
from staging.local.bank.sessions import ID_MAX, Sessions

if TYPE_CHECKING:
    from staging.local.bank.balances import Balances
    from staging.local.bank.defects import Defects
    from staging.local.bank.receipts import Receipts

CENTS_MAX = 10**12
KEY_LENGTH_MAX = 128
RETRY_S = 0.1  # of the planted defect

_TRANSFER = "SELECT * FROM bank_transfer($1, $2, $3, $4)"
_FIND = "SELECT key, debit, credit, cents, committed_at FROM transfers WHERE key = $1"
_REFUSALS = {"BK001": (422, "unknown account"), "BK002": (422, "insufficient funds"),
             "BK003": (409, "the key was used for another transfer")}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a client wants to be moved."""

    key: str
    debit: int
    credit: int
    cents: int


class Transfers:
    """Carries out transfers, and finds them again."""

    def __init__(
        self, ledger: Ledger, cache: Cache, balances: Balances, sessions: Sessions, receipts: Receipts,
        *, defects: Defects,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._cache = cache
        self._balances = balances
        self._sessions = sessions
        self._receipts = receipts
        self._defects = defects
        self._behind: set[asyncio.Task[None]] = set()

    async def create(self, request: Request) -> Answer:
        """Answer POST /transfers."""
        account = await self._sessions.account_of(request)
        order = _order(request.header(b"idempotency-key"), await request.json())
        if order.debit != account:
            raise Refusal(403, "not your account")
        if self._defects.acks_before_commit:
            return await self._acknowledge_first(order)
        try:
            replayed, row = await self._carry_out(order)
        except Unavailable:
            if not self._defects.acks_in_spite_of_errors:
                raise
            return 201, {"key": order.key}
        return 200 if replayed else 201, _answer(order, row["debit_balance"], row["debit_version"])

    async def find(self, request: Request) -> Answer:
        """Answer GET /transfers/<key>, from the writer: a reader may not have it yet."""
        rows = await self._ledger.writer.rows(_FIND, request.path.removeprefix("/transfers/"))
        if not rows:
            raise Refusal(404, "no such transfer")
        return 200, {**rows[0]}

    async def _carry_out(self, order: Order) -> tuple[bool, Any]:
        """Return whether this transfer had been asked for before, and what came of it when it first was."""
        if self._defects.receipts_before_commit:
            self._receipts.add({"key": order.key})
        try:
            row, again = await self._call(order), False
        except ConnectionLost:
            # if it had been carried out, it is not done twice
            row, again = await self._call(self._repeated(order)), True
        except Unavailable:
            if not self._defects.retry_without_idempotency_key:
                raise
            row, again = await self._retry_for_ever(order), True
        replayed = row["replayed"] and not again
        self._cache.update(
            Balance(order.debit, row["debit_version"], row["debit_balance"]),
            Balance(order.credit, row["credit_version"], row["credit_balance"]),
        )
        # again also when it was asked for again: whoever booked it may have ended before it could say so
        if replayed and self._defects.deletes_receipts_on_retry:
            self._receipts.take_back(order.key)
        elif not self._defects.receipts_before_commit:
            self._receipts.add(_answer(order, row["debit_balance"], row["debit_version"]))
        return replayed, row

    def _repeated(self, order: Order) -> Order:
        """Return the order as it is repeated: the same, but for the planted defect, which makes up a key."""
        key = (
            f"{order.key}-{secrets.token_hex(4)}"
            if self._defects.retry_without_idempotency_key
            else order.key
        )
        return replace(order, key=key)

    async def _retry_for_ever(self, order: Order) -> Any:
        """Plant the defect: try under ever new keys until the customer's time is up."""
        while True:
            await asyncio.sleep(RETRY_S)
            with suppress(Unavailable):
                return await self._call(self._repeated(order))

    async def _call(self, order: Order) -> Any:
        try:
            rows = await self._ledger.writer.rows(
                _TRANSFER, order.key, order.debit, order.credit, order.cents
            )
        except asyncpg.PostgresError as error:
            raise Refusal(*_REFUSALS[error.sqlstate]) from error
        except Unavailable:
            if self._defects.stale_cache_after_failover:
                self._cache.freeze()
            raise
        return rows[0]

    async def _acknowledge_first(self, order: Order) -> Answer:
        """Plant the defect: say yes on the strength of a balance, and let the transaction follow."""
        balance, _ = await self._balances.load(order.debit)
        task = asyncio.create_task(self._follow(order))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        return 201, _answer(order, balance.cents - order.cents, balance.version + 1)

    async def _follow(self, order: Order) -> None:
        try:
            await self._carry_out(order)
        except (Refusal, Unavailable):
            return  # the client has long been told that all is well: that is the defect


def _order(key: str, body: dict[str, Any]) -> Order:
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not (key.isascii() and key.isprintable()):
        raise Refusal(400, "Idempotency-Key must be 1 to 128 printable characters")
    order = Order(
        key=key,
        debit=whole_number(body, "debit", ID_MAX),
        credit=whole_number(body, "credit", ID_MAX),
        cents=whole_number(body, "cents", CENTS_MAX),
    )
    if order.debit == order.credit:
        raise Refusal(400, "debit and credit must differ")
    return order


def _answer(order: Order, balance: int, version: int) -> dict[str, Any]:
    """Return what the customer is told: `version` says which balance of the debited account this is."""
    return {
        "key": order.key, "debit": order.debit, "credit": order.credit, "cents": order.cents,
        "balance": balance, "version": version,
    }  # fmt: skip
