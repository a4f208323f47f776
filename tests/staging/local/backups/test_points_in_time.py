"""Restores to an instant: what was acknowledged before it, and nothing that came later."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from staging.local.backups import PointInTime, RestoreFailedError
from tests.staging.local.aurora.clients import Staged, eventually, run
from tests.staging.local.backups.places import Log, insert, keys, serve, snapshot

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.local


def reaches(staged: Staged, at: datetime, name: str = "ledger") -> bool:
    reach = staged.fleet.restorable(name)
    return reach is not None and reach[0] <= at <= reach[1]


async def rewound(staged: Staged, name: str, at: datetime | None, source: str = "ledger") -> set[str]:
    """Restore to an instant, and return the keys that are there."""
    await staged.fleet.restore(name, PointInTime(cluster=source, at=at), Log())
    await staged.fleet.add_member(name, f"{name}-1", "data-a")
    return await keys(staged, name)


async def until_reached(staged: Staged, at: datetime, name: str = "ledger") -> None:
    await eventually(lambda: reaches(staged, at, name))


async def based(staged: Staged) -> None:
    """Wait for the first base backup: nothing before it can be restored."""
    await eventually(lambda: staged.fleet.restorable("ledger") is not None)


def test_every_commit_is_on_its_side_of_the_instant(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        async with staged.writing():
            await staged.some_more_writes(100)
            before, at = set(staged.acknowledged), datetime.now(UTC)
            await staged.some_more_writes(100)
            await until_reached(staged, at)
        said = Log()
        await staged.fleet.restore("rewound", PointInTime(cluster="ledger", at=at), said)
        assert said.steps == ["copy", "verify", "replay"]
        replayed = said.last("replay")
        assert replayed.done_bytes == replayed.total_bytes > 0
        await serve(staged, "rewound")
        held = await keys(staged, "rewound")
        sql = f"SELECT key FROM rows WHERE pg_xact_commit_timestamp(xmin) <= '{at}'"  # noqa: S608 - ours
        assert held == {row["key"] for row in await staged.aurora.execute(sql)}
        assert before <= held < staged.acknowledged

    run(place, deed, archive_timeout_s=1.0)


def test_the_latest_instant_is_all_that_was_acknowledged_across_a_failover(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        async with staged.writing():
            await staged.some_more_writes()
            await staged.aurora.crash("ledger-1")
            await eventually(lambda: staged.whole(writer="ledger-2"))
            await staged.some_more_writes()
            await staged.aurora.failover("ledger-1")
            await eventually(lambda: staged.whole(writer="ledger-1"))
            await staged.some_more_writes()
        assert await rewound(staged, "rewound", None) >= staged.acknowledged

    run(place, deed)


def test_a_deleted_cluster_can_be_restored_to_its_end_and_to_before_it(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        resource = staged.fleet.describe()["ledger"].resource
        async with staged.writing():
            await staged.some_more_writes()
            before, at = set(staged.acknowledged), datetime.now(UTC)
            await staged.some_more_writes()
        held = await staged.surviving()
        await staged.fleet.delete("ledger", keep_archive=True)
        assert staged.fleet.describe() == {}
        assert reaches(staged, at)
        assert reaches(staged, at, resource)

        assert await rewound(staged, "ledger", None, resource) == held >= staged.acknowledged
        assert before <= await rewound(staged, "rewound", at, resource) < staged.acknowledged

    run(place, deed)


@pytest.mark.long
def test_a_restored_cluster_is_archived_from_its_own_birth_and_can_be_rewound_again(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await insert(staged, "old")
        await staged.fleet.restore("second", await snapshot(staged, place), Log())
        assert staged.fleet.restorable("second") is None
        await serve(staged, "second")
        await eventually(lambda: reaches(staged, datetime.now(UTC) - timedelta(seconds=1), "second"))
        await insert(staged, "new", cluster="second")
        between = datetime.now(UTC)
        await insert(staged, "newer", cluster="second")
        await until_reached(staged, between, "second")
        assert await rewound(staged, "third", between, "second") == {"old", "new"}
        assert await rewound(staged, "fourth", None, "second") == {"old", "new", "newer"}

    run(place, deed, archive_timeout_s=1.0)


@pytest.mark.long
def test_while_nothing_is_written_the_latest_instant_moves_on_at_no_cost(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        await insert(staged, "one")
        await until_reached(staged, datetime.now(UTC))
        segments = len(list((place / "ledger").rglob("wal/*")))
        await until_reached(staged, datetime.now(UTC) + timedelta(seconds=5))
        quiet = datetime.now(UTC) - timedelta(seconds=2)
        assert len(list((place / "ledger").rglob("wal/*"))) <= segments + 1
        assert await rewound(staged, "rewound", quiet) == {"one"}

    run(place, deed, archive_timeout_s=1.0)


def test_an_instant_outside_of_the_archive_is_refused_in_words(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        for at in (datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(hours=1)):
            with pytest.raises(RestoreFailedError, match="outside of what the archive of ledger holds"):
                await staged.fleet.restore("rewound", PointInTime(cluster="ledger", at=at), Log())
        assert list(staged.fleet.describe()) == ["ledger"]

    run(place, deed)


@pytest.mark.parametrize(
    "how", ["missing", *(pytest.param(how, marks=pytest.mark.long) for how in ("damaged", "swapped"))]
)
def test_log_that_does_not_lead_to_the_instant_is_refused(place: Path, how: str) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        async with staged.writing():
            for _ in range(4):
                await staged.some_more_writes()
                await asyncio.sleep(1.5)
            await until_reached(staged, datetime.now(UTC))
        segments = sorted(path for path in (place / "ledger").rglob("wal/*") if len(path.name) == 24)
        victim, other = segments[-3], segments[-4]
        if how == "missing":
            victim.unlink()
        elif how == "swapped":
            victim.write_bytes(other.read_bytes())
        else:
            content = bytearray(victim.read_bytes())
            content[200] ^= 0x10
            victim.write_bytes(content)
        with pytest.raises(RestoreFailedError) as refusal:
            await staged.fleet.restore("rewound", PointInTime(cluster="ledger", at=None), Log())
        words = str(refusal.value)
        assert {"missing": victim.name, "damaged": "checksum", "swapped": "unexpected pageaddr"}[how] in words
        assert list(staged.fleet.describe()) == ["ledger"]

    run(place, deed, archive_timeout_s=1.0)


@pytest.mark.long
def test_where_archiving_has_stopped_only_the_birth_can_be_restored(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await eventually(lambda: staged.fleet.restorable("ledger") is not None)
        earliest, latest = staged.fleet.restorable("ledger") or (None, None)
        assert earliest == latest
        await insert(staged, "one")
        assert await rewound(staged, "rewound", None) == set()
        with pytest.raises(RestoreFailedError, match="outside"):
            await staged.fleet.restore("now", PointInTime(cluster="ledger", at=datetime.now(UTC)), Log())

    run(place, deed, wal_archiving_stopped=True)


def test_a_restore_to_the_wrong_instant_brings_the_later_rows_along(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await based(staged)
        await insert(staged, "one")
        at = datetime.now(UTC)
        await insert(staged, "two")
        await until_reached(staged, at)
        assert await rewound(staged, "rewound", at) == {"one", "two"}

    run(place, deed, restores_wrong_instant=True, archive_timeout_s=1.0)
