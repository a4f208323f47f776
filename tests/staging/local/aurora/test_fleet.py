"""Clusters that come, go and change their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from staging.local.aurora import AuroraError
from tests.staging.local.aurora.clients import Staged, eventually, run
from tests.staging.local.backups.places import Log, insert, keys, serve, snapshot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local
WHO = "SELECT aurora_db_instance_identifier()"


def test_a_cluster_keeps_its_data_without_instances_and_takes_new_ones(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        fleet = staged.fleet
        async with staged.writing():
            await staged.some_more_writes()
            await fleet.remove_member("ledger", "ledger-1")  # the writer: its reader takes over
            assert staged.roles == {"ledger-2": "writer"}
            await staged.some_more_writes()
        await fleet.remove_member("ledger", "ledger-2")
        assert fleet.describe()["ledger"].members == ()
        assert staged.endpoints.led_to == {}
        with pytest.raises(AuroraError, match="no instance"):
            await fleet.cluster("ledger").execute("SELECT 1")

        await fleet.add_member("ledger", "ledger-3", "data-b")
        await fleet.add_member("ledger", "ledger-1", "data-a")
        assert staged.whole(writer="ledger-3")
        assert await staged.lost() == set()
        async with staged.writing():
            await staged.some_more_writes()
            await fleet.cluster("ledger").crash("ledger-3")
            await eventually(lambda: staged.whole(writer="ledger-1"))
        assert await staged.lost() == set()

    run(place, deed)


def test_the_endpoints_follow_the_name_and_an_instance_restarts_under_its_new_one(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        fleet = staged.fleet
        await insert(staged, "in both")
        taken = await snapshot(staged, place)
        await insert(staged, "in the old one")
        await fleet.restore("restored", taken, Log())
        await serve(staged, "restored")
        assert await staged.ask("ledger-writer", WHO) == "ledger-1"

        await fleet.rename("ledger", "ledger-old")
        assert staged.endpoints.led_to == {}
        for number in (1, 2):
            await fleet.rename_member(f"ledger-{number}", f"ledger-old-{number}")
        await fleet.rename("restored", "ledger")
        for number in (1, 2):
            await fleet.rename_member(f"restored-{number}", f"ledger-{number}")

        assert sorted(fleet.describe()) == ["ledger", "ledger-old"]
        assert staged.whole(writer="ledger-1")
        assert await staged.ask("ledger-writer", WHO) == "ledger-1"
        await eventually(lambda: len(set(staged.endpoints.led_to.values())) == 2)
        assert await staged.ask("ledger-reader", WHO) == "ledger-2"
        assert await keys(staged, "ledger") == {"in both"}
        assert await keys(staged, "ledger-old") == {"in both", "in the old one"}
        with pytest.raises(AuroraError, match="ledger exists already"):
            await fleet.rename("ledger-old", "ledger")
        with pytest.raises(AuroraError, match="ledger-1 exists already"):
            await fleet.rename_member("ledger-old-1", "ledger-1")

    run(place, deed)


def test_a_deleted_cluster_leaves_no_process_and_no_file(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        resource = staged.fleet.describe()["ledger"].resource
        assert list((place / "ledger").rglob(f"{resource}/*"))
        await staged.fleet.delete("ledger", keep_archive=False)
        assert staged.fleet.describe() == {}
        assert staged.fleet.restorable(resource) is None
        assert list((place / "ledger").rglob(resource)) == []
        cwds = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
        assert [cwd for cwd in cwds if cwd.startswith(str(place))] == []
        with pytest.raises(AuroraError, match="ledger does not exist"):
            staged.fleet.cluster("ledger")

    run(place, deed)


def test_a_third_instance_has_no_room_and_no_name_is_given_twice(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        with pytest.raises(AuroraError, match="no more"):
            await staged.fleet.add_member("ledger", "ledger-3", "data-a")
        with pytest.raises(AuroraError, match="ledger-1 exists already"):
            await staged.fleet.add_member("ledger", "ledger-1", "data-a")
        assert staged.whole(writer="ledger-1")

    run(place, deed)


def test_the_owner_may_what_the_application_may_not(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await insert(staged, "one", "two")
        with pytest.raises(AuroraError, match="permission denied"):
            await staged.aurora.execute("DELETE FROM rows")
        await staged.aurora.execute("DELETE FROM rows WHERE key = 'one'", role="owner")
        await staged.aurora.execute("ALTER TABLE rows ADD COLUMN more int", role="owner")
        assert await keys(staged, "ledger") == {"two"}
        await staged.aurora.execute("SELECT bt_index_check('rows_pkey'::regclass, true)", role="owner")

    run(place, deed)
