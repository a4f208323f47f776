"""The cache's wire against a real Valkey: newer balances win, and silence is noticed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from staging.local.bank.cache import Balance, Cache
from staging.local.bank.settings import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.staging.local.bank.conftest import World

pytestmark = pytest.mark.local


def test_an_older_balance_never_replaces_a_newer_one(world: World) -> None:
    async def scene(cache: Cache) -> None:
        cache.keep(Balance(901, 9, 90), Balance(902, 1, 10))
        cache.keep(Balance(901, 8, 80), Balance(902, 2, 20))
        cache.keep(Balance(901, 10, 100))

        assert await cache.balance(901) == Balance(901, 10, 100)
        assert await cache.balance(902) == Balance(902, 2, 20)
        assert await cache.balance(903) is None

    play(world, scene)


def test_a_thousand_questions_at_once_get_their_own_answers(world: World) -> None:
    async def scene(cache: Cache) -> None:
        for number in range(1000):
            cache.keep(Balance(2000 + number, 1, number))

        held = await asyncio.gather(*(cache.balance(2000 + number) for number in range(1000)))

        assert [balance.cents for balance in held if balance] == list(range(1000))

    play(world, scene)


def test_a_silent_cache_is_given_up_and_taken_up_again(world: World) -> None:
    async def scene(cache: Cache) -> None:
        cache.keep(Balance(904, 1, 5))
        world.wires.darken("cache")
        async with asyncio.timeout(1):
            assert await cache.balance(904) is None
        assert await cache.balance(904) is None
        cache.keep(Balance(904, 2, 6))

        world.wires.darken()
        await until(cache.ping)
        assert await cache.balance(904) == Balance(904, 1, 5)

    play(world, scene)


def play(world: World, scene: Callable[[Cache], Awaitable[None]]) -> None:
    async def stage() -> None:
        cache = Cache(Address.parse(world.environment["CACHE"]))
        keeper = asyncio.create_task(cache.run())
        await until(cache.ping)
        await scene(cache)
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    asyncio.run(stage())


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)
