"""Balances: from the cache, or else from the ledger's reader into the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.bank.cache import Balance, Cache
from staging.local.bank.http import Answer, Refusal, Request
from staging.local.bank.sessions import ID_MAX, Sessions
from staging.local.bank.single_flight import SingleFlight

if TYPE_CHECKING:
    from staging.local.bank.ledger import Ledger

_BALANCE = "SELECT balance, version FROM accounts WHERE id = $1"


class Balances:
    """What accounts hold."""

    def __init__(
        self, ledger: Ledger, cache: Cache, sessions: Sessions, *, need_the_writer: bool = False
    ) -> None:
        self._need_the_writer = need_the_writer
        self._ledger = ledger
        self._cache = cache
        self._sessions = sessions
        self._loads: SingleFlight[int, tuple[Balance, str]] = SingleFlight()

    async def show(self, request: Request) -> Answer:
        """Answer GET /accounts/<n>/balance."""
        account = _account(request.path.removeprefix("/accounts/").removesuffix("/balance"))
        if account != await self._sessions.account_of(request):
            raise Refusal(403, "not your account")
        balance, source = await self._cached(account), "cache"
        if balance is None:
            balance, source = await self._loads.join(account, lambda: self.load(account))
        return 200, {
            "account": account, "balance": balance.cents, "version": balance.version, "source": source,
        }  # fmt: skip

    async def _cached(self, account: int) -> Balance | None:
        return None if self._need_the_writer else await self._cache.balance(account)

    async def load(self, account: int) -> tuple[Balance, str]:
        """Read a balance from the ledger, and keep it in the cache."""
        if self._need_the_writer:
            rows, source = await self._ledger.writer.rows(_BALANCE, account), "writer"
        else:
            rows, source = await self._ledger.read(_BALANCE, account)
        if not rows:
            raise Refusal(404, "no such account")
        balance = Balance(account, rows[0]["version"], rows[0]["balance"])
        self._cache.keep(balance)
        return balance, source


def _account(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:12]) <= ID_MAX:
        raise Refusal(404, "no such account")
    return int(text)
