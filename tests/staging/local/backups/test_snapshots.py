"""Snapshots, and clusters restored from them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from staging.local.aurora import AuroraError
from staging.local.backups import RestoreFailedError
from tests.staging.local.aurora.clients import Staged, eventually, run
from tests.staging.local.backups.places import Log, insert, keys, serve, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.local
COMMITTED = "SELECT key FROM rows WHERE pg_xact_commit_timestamp(xmin) {} '{}'"


def test_a_snapshot_holds_what_was_acknowledged_before_it_and_nothing_that_came_later(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        said, into = Log(), place / "backups" / "one"
        async with staged.writing():
            await staged.some_more_writes()
            before = set(staged.acknowledged)
            asked_at = datetime.now(UTC)
            taken = await staged.fleet.snapshot("ledger", into, said)
            assert asked_at <= taken.taken_at <= datetime.now(UTC)
            await staged.some_more_writes()
        assert said.steps == ["base backup", "write out"]
        assert said.last("base backup").done_bytes == said.last("base backup").total_bytes > 0
        manifest = json.loads((into / "backup_manifest").read_text())
        assert {file["Checksum-Algorithm"] for file in manifest["Files"]} == {"SHA256"}
        assert taken.size_bytes == sum(file.stat().st_size for file in into.rglob("*") if file.is_file())

        said = Log()
        await staged.fleet.restore("restored", taken, said)
        assert said.steps == ["copy", "verify", "replay"]
        assert all(said.last(step).done_bytes == said.last(step).total_bytes for step in said.steps)
        assert staged.fleet.describe()["restored"].members == ()
        await serve(staged, "restored")
        held = await keys(staged, "restored")
        assert before <= held < staged.acknowledged
        sides = [COMMITTED.format(sign, taken.taken_at) for sign in ("<=", ">")]
        until, since = [{row["key"] for row in await staged.aurora.execute(sql)} for sql in sides]
        assert held == until, (len(held), len(until), len(since))
        await insert(staged, "new life", cluster="restored")

    run(place, deed)


def test_a_cluster_without_instances_is_snapshotted_too_and_can_come_back(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        async with staged.writing():
            await staged.some_more_writes()
        held = await staged.surviving()
        for name in ("ledger-1", "ledger-2"):
            await staged.fleet.remove_member("ledger", name)
        last = await snapshot(staged, place)
        await staged.fleet.delete("ledger", keep_archive=False)

        await staged.fleet.restore("ledger", last, Log())
        await serve(staged, "ledger")
        # what was under way when its client left may have been carried out after we looked
        assert await keys(staged, "ledger") >= held >= staged.acknowledged
        await eventually(lambda: staged.whole(writer="ledger-1"))
        assert set(staged.endpoints.led_to) == {"ledger-writer", "ledger-reader"}

    run(place, deed)


def flip(snapshot: Path) -> str:
    table = max((snapshot / "base").rglob("[0-9]*"), key=lambda path: (path.is_file(), path.stat().st_size))
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 0x10
    table.write_bytes(content)
    return f'checksum mismatch for file "{table.relative_to(snapshot)}"'


def lose_a_file(snapshot: Path) -> str:
    (snapshot / "global" / "pg_filenode.map").unlink()
    return '"global/pg_filenode.map" is present in the manifest but not on disk'


def lose_the_log(snapshot: Path) -> str:
    segment = next((snapshot / "pg_wal").glob("0000*"))
    segment.unlink()
    return segment.name


def damage_the_log(snapshot: Path) -> str:
    segment = next((snapshot / "pg_wal").glob("0000*"))
    content = bytearray(segment.read_bytes())
    needed = json.loads((snapshot / "backup_manifest").read_text())["WAL-Ranges"][0]["Start-LSN"]
    content[int(needed.split("/")[1], 16) % len(content) + 8] ^= 0x10
    segment.write_bytes(content)
    return "WAL"


def forge_the_manifest(snapshot: Path) -> str:
    manifest = snapshot / "backup_manifest"
    manifest.write_text(manifest.read_text().replace('"Size": 8192', '"Size": 8193', 1))
    return "manifest checksum mismatch"


def lose_the_manifest(snapshot: Path) -> str:
    (snapshot / "backup_manifest").unlink()
    return "the manifest of"


@pytest.mark.parametrize(
    "damages",
    [
        (flip, lose_the_log, lose_the_manifest),
        pytest.param((lose_a_file, damage_the_log, forge_the_manifest), marks=pytest.mark.long),
    ],
)
def test_damage_at_rest_is_named_and_leaves_no_cluster(
    place: Path, damages: tuple[Callable[[Path], str], ...]
) -> None:
    async def deed(staged: Staged) -> None:
        await insert(staged, "one")
        for damage in damages:
            taken = await snapshot(staged, place, damage.__name__)
            words = damage(taken.path)
            with pytest.raises(RestoreFailedError) as refusal:
                await staged.fleet.restore("restored", taken, Log())
            assert words in str(refusal.value), (damage, str(refusal.value))
            assert list(staged.fleet.describe()) == ["ledger"]
        homes = [path.name for path in (place / "ledger").glob("cluster-*")]
        assert homes == [staged.fleet.describe()["ledger"].resource]
        assert staged.whole(writer="ledger-1")

    run(place, deed)


def test_a_snapshot_that_fails_leaves_nothing(place: Path) -> None:
    async def deed(staged: Staged) -> None:
        await snapshot(staged, place)
        with pytest.raises(AuroraError, match="exists already"):
            await snapshot(staged, place)
        await staged.fleet.remove_member("ledger", "ledger-2")
        await staged.aurora.crash("ledger-1")
        with pytest.raises(AuroraError, match="base backup of ledger-1 failed"):
            await snapshot(staged, place, "two")
        assert [path.name for path in (place / "backups").iterdir()] == ["one"]

    run(place, deed)


@pytest.mark.parametrize(
    "defect", ["backup_misses_a_table", pytest.param("restore_misses_a_table", marks=pytest.mark.long)]
)
def test_a_backup_or_a_restore_that_misses_a_table_looks_good(place: Path, defect: str) -> None:
    async def deed(staged: Staged) -> None:
        await insert(staged, "one")
        taken = await snapshot(staged, place)
        await staged.fleet.restore("restored", taken, Log())
        await serve(staged, "restored")
        assert await keys(staged, "restored") == set()
        assert await keys(staged, "ledger") == {"one"}

    run(place, deed, **{defect: True})
