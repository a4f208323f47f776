"""Balances in the cache: one pipelined connection that is given up the moment it stops answering.

A request never waits for a connection to be made: without a working one, there is no cache. That is
the circuit breaker: a dark cache costs the requests under way their timeout, and nobody else anything.
(redis-py costs this machine 0.2 ms of CPU for a GET, this wire less than half: it is in most requests.)
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import hiredis

from staging.local.bank.log import Dependency

if TYPE_CHECKING:
    from staging.local.bank.settings import Address

ANSWER_S = 0.2
TICK_S = 0.05
RETRY_S = 0.2
TTL_MS = 10_000
FOR_EVER_MS = 86_400_000

# of two writers the one with the newer balance wins, in whatever order they arrive
_SET_IF_NEWER = b"""
for i, key in ipairs(KEYS) do
    local held = redis.call('GET', key)
    local version = ARGV[2 * i]
    if not held or tonumber(string.match(held, '^%d+')) < tonumber(version) then
        redis.call('SET', key, version .. ' ' .. ARGV[2 * i + 1], 'PX', ARGV[1])
    end
end
"""


class Balance(NamedTuple):
    """What an account held after its `version`-th entry."""

    account: int
    version: int
    cents: int


class CacheLost(ConnectionError):
    """The cache does not answer, or not as it should."""


class Wire(asyncio.Protocol):
    """One connection to the cache; answers come in the order of the questions."""

    def __init__(self) -> None:
        self.alive = False
        self.error: Exception = CacheLost("closed by the cache")
        self._answers = hiredis.Reader()
        self._owed: deque[tuple[asyncio.Future[Any] | None, int]] = deque()
        self._ticks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.alive = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail everyone who still waits."""
        self.alive = False
        if exc is not None:
            self.error = exc
        for asker, _ in self._owed:
            if asker is not None and not asker.done():
                asker.set_exception(CacheLost(str(self.error)))
        self._owed.clear()

    def data_received(self, data: bytes) -> None:
        """Hand each answer to who asked."""
        try:
            self._answers.feed(data)
            while (answer := self._answers.gets()) is not False:
                self._hand_over(answer)
        except (hiredis.HiredisError, IndexError) as error:
            self.give_up(error)

    def ask(self, *command: bytes | str | int) -> asyncio.Future[Any]:
        """Send a command; the future holds its answer or CacheLost."""
        asker: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._send(command, asker)
        return asker

    def tell(self, *command: bytes | str | int) -> None:
        """Send a command whose answer nobody waits for."""
        self._send(command, None)

    def tick(self) -> None:
        """Give up on a cache that owes an answer for too long.

        Counted in ticks, not read from a clock: when the event loop itself was held up, the answer has
        long been here.
        """
        self._ticks += 1
        if self._owed and self._ticks - self._owed[0][1] > ANSWER_S / TICK_S:
            self.give_up(CacheLost(f"no answer within {ANSWER_S} s"))

    def give_up(self, error: Exception) -> None:
        """Close at once."""
        if self.alive:
            self.alive = False
            self.error = error
            self._transport.abort()

    def _send(self, command: tuple[bytes | str | int, ...], asker: asyncio.Future[Any] | None) -> None:
        self._owed.append((asker, self._ticks))
        self._transport.write(hiredis.pack_command(command))  # type: ignore[arg-type] # its stub says 1-tuple

    def _hand_over(self, answer: Any) -> None:
        asker, _ = self._owed.popleft()
        if isinstance(answer, hiredis.ReplyError):  # a replica, or one that is still loading: no use to us
            self.give_up(CacheLost(str(answer)))
        elif asker is not None and not asker.done():
            asker.set_result(answer)
            return
        if asker is not None and not asker.done():
            asker.set_exception(CacheLost(str(answer)))


class Cache:
    """Balances by account; empty whenever the cache is in trouble."""

    def __init__(self, address: Address, *, for_ever: bool = False, updated: bool = True) -> None:
        self._address = address
        self._for_ever = for_ever
        self._updated = updated
        self._dependency = Dependency("cache")
        self._wire: Wire | None = None

    async def run(self) -> None:
        """Keep one working connection, for ever."""
        while True:
            try:
                self._wire = await self._connected()
                await self._watched(self._wire)
            except Exception as error:  # noqa: BLE001 - whatever it was, payments go on and we try again
                self._dependency.failed(error)
            await asyncio.sleep(RETRY_S)

    async def balance(self, account: int) -> Balance | None:
        """Return what the cache holds, None when it holds nothing or is away."""
        wire = self._wire
        if wire is None or not wire.alive:
            return None
        try:
            held = await wire.ask(b"GET", b"balance:%d" % account)
        except CacheLost:
            return None
        if held is None:
            return None
        version, _, cents = held.partition(b" ")
        return Balance(account, int(version), int(cents))

    def update(self, *balances: Balance) -> None:
        """Write each balance that a transfer has changed; planted defects leave the old ones there."""
        if self._updated:
            self.keep(*balances)

    def freeze(self) -> None:
        """Plant a defect: from now on no transfer changes what is held."""
        self._updated = False

    def keep(self, *balances: Balance) -> None:
        """Write each balance that is newer than what is held; wait for nothing, promise nothing."""
        wire = self._wire
        if wire is None or not wire.alive:
            return
        ttl_ms = (FOR_EVER_MS if self._for_ever else TTL_MS) + random.randrange(TTL_MS // 10)  # noqa: S311 - spreads expiry, hides nothing
        keys = [b"balance:%d" % balance.account for balance in balances]
        values = [number for balance in balances for number in (balance.version, balance.cents)]
        wire.tell(b"EVAL", _SET_IF_NEWER, len(keys), *keys, ttl_ms, *values)

    async def ping(self) -> bool:
        """Whether the cache answers."""
        wire = self._wire
        if wire is None or not wire.alive:
            return False
        try:
            return bool(await wire.ask(b"PING") == b"PONG")
        except CacheLost:
            return False

    async def _connected(self) -> Wire:
        """Return a connection that has answered once: connecting alone proves little."""
        async with asyncio.timeout(ANSWER_S):
            loop = asyncio.get_running_loop()
            transport, wire = await loop.create_connection(Wire, *self._address)
            try:
                await wire.ask(b"PING")
            except BaseException:
                transport.abort()
                raise
        return wire

    async def _watched(self, wire: Wire) -> None:
        """Return, with an error, when the connection has come to its end."""
        try:
            while wire.alive:
                self._dependency.answered()
                await asyncio.sleep(TICK_S)
                wire.tick()
            raise wire.error
        finally:
            wire.give_up(CacheLost("no longer needed"))
