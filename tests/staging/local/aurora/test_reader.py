from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from staging.local.aurora import AuroraError
from tests.staging.local.aurora.clients import Staged, eventually, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local


def reads_go_to_the_writer(staged: Staged) -> bool:
    return len(set(staged.endpoints.led_to.values())) == 1


def test_writes_go_on_without_a_reader_which_then_comes_back_in_sync(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-2")
            await eventually(lambda: reads_go_to_the_writer(staged))
            await staged.some_more_writes()
            await eventually(lambda: staged.whole(writer="ledger-1"))
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")
            await eventually(lambda: staged.whole(writer="ledger-2"))
        assert await staged.lost() == set()

    run(place, deed)


def test_a_reader_in_a_dark_zone_is_not_waited_for_nor_ever_promoted(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
            staged.network.darken(frozenset({"data-b"}))
            await eventually(lambda: staged.aurora.describe().members[1].status == "unreachable")
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")  # and now it is the only copy of what was just written
            await staged.some_more_writes()
            assert staged.roles["ledger-1"] == "writer"
            staged.network.darken(frozenset())
            await eventually(lambda: staged.whole(writer="ledger-1"))
        assert await staged.lost() == set()
        assert ("ledger-1", "DB instance restarted") in staged.messages

    run(place, deed)


def test_a_reboot_changes_no_roles(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            for instance in ("ledger-1", "ledger-2"):
                await staged.aurora.reboot(instance)
                await eventually(lambda: staged.whole(writer="ledger-1"))
                await staged.some_more_writes()
        assert await staged.lost() == set()
        assert [pair for pair in staged.messages if pair[0] == "ledger-1"] == [
            ("ledger-1", "DB instance shutdown"),
            ("ledger-1", "DB instance restarted"),
        ]
        with pytest.raises(AuroraError, match="ledger-9 is no member"):
            await staged.aurora.reboot("ledger-9")

    run(place, deed)
