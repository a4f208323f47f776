from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.staging.local.aurora.clients import Staged, eventually, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local


def test_without_synchronous_commit_a_crash_loses_acknowledged_writes(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        for old, new in [("ledger-1", "ledger-2"), ("ledger-2", "ledger-1")] * 3:
            async with staged.writing():
                await staged.some_more_writes()
                await staged.aurora.crash(old)
                await eventually(lambda new=new: staged.whole(writer=new))  # type: ignore[misc]
            if await staged.lost():  # rarely, the last write had just reached the disk
                return
        pytest.fail("six crashes, and nothing lost")

    run(place, deed, synchronous_commit_off=True)


@pytest.mark.parametrize("how", ["crash", pytest.param("failover", marks=pytest.mark.long)])
def test_an_asynchronous_standby_lacks_what_was_on_its_way(place: Path, how: str) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes(100)
            if how == "crash":
                await staged.aurora.crash("ledger-1")
            else:
                await staged.aurora.failover("ledger-2")
            await eventually(lambda: staged.roles["ledger-2"] == "writer")
            await staged.some_more_writes()
        assert len(await staged.lost()) > 5
        assert not staged.aurora.describe().members[1].in_sync

    run(place, deed, async_standby=True, replication_delay_s=0.5)


def test_where_failover_is_broken_a_dead_writer_waits_for_somebody_to_restart_it(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")
            await staged.some_more_writes()
        assert staged.successes[-1] - staged.failures[0] > 2.0
        assert staged.roles["ledger-1"] == "writer"
        assert await staged.lost() == set()

    run(place, deed, failover_never_triggered=True, unattended_restart_s=2.0)


def test_a_failover_that_takes_its_time(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")
            await eventually(lambda: staged.roles["ledger-2"] == "writer")
            await staged.some_more_writes()
        assert staged.successes[-1] - staged.failures[0] > 2.0
        assert await staged.lost() == set()

    run(place, deed, failover_delay_s=2.0)


def test_an_endpoint_that_does_not_follow_leads_to_nobody_who_takes_writes(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.failover("ledger-2")
            await eventually(lambda: staged.roles["ledger-2"] == "writer")
            written = len(staged.successes)
            await asyncio.sleep(1.0)
        assert len(staged.successes) == written

    run(place, deed, endpoint_not_following=True)
