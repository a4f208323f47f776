"""Snapshots of a cluster: a base backup that needs nothing else, taken with or without instances."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from staging.local.aurora.link import FAILURES, NoAnswerError, answer, connect
from staging.local.aurora.state import SUPERUSER, AuroraError
from staging.local.aurora.waiting import until
from staging.local.backups import base
from staging.local.backups.points import Progress, RestoreFailedError, Snapshot, position, written
from staging.local.backups.restore import Replay
from staging.local.backups.workbench import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from staging.local.aurora.cluster import Aurora
    from staging.local.aurora.instance import Instance
    from staging.local.aurora.site import Site
    from staging.local.backups.base import Base
    from staging.local.backups.points import OnProgress

log = logging.getLogger("staging.local.backups")

START_S = 60.0
ASK_S = 2.0
TRUNCATE_S = 30.0

# The defect's victim: the first table that nobody refers to, so that no constraint gives it away.
A_TABLE = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE confrelid = pg_class.oid)
ORDER BY relname LIMIT 1
"""


async def take(cluster: Aurora, into: Path, on_progress: OnProgress) -> Snapshot:
    """Take a snapshot. A failure leaves nothing behind."""
    if await asyncio.to_thread(into.exists):
        raise AuroraError(f"{into} exists already")
    async with _source(cluster) as server:
        has_customers = server is cluster.writer
        taken = await _copied(server, cluster.site, into, on_progress, gentle=has_customers)
    return Snapshot(
        path=into, cluster=cluster.name, taken_at=taken.taken_at, size_bytes=taken.size_bytes,
        lsn=written(taken.end),
    )  # fmt: skip


def replay(snapshot: Path) -> Replay:
    """Return what to replay of a snapshot's own log: up to where it is consistent, and no further."""
    try:
        needed = json.loads((snapshot / "backup_manifest").read_text())["WAL-Ranges"]
    except (OSError, ValueError, KeyError) as error:
        raise RestoreFailedError(f"the manifest of {snapshot.name} cannot be read: {error}") from error
    start, end = position(needed[0]["Start-LSN"]), position(needed[-1]["End-LSN"])
    # everything lies in the snapshot itself: there is no archive to ask
    return Replay({"restore_command": "false", "recovery_target": "immediate"}, start, end)


async def answers(server: Instance) -> bool:
    """Tell whether a server takes statements; raise when it has ended."""
    if server.exited:
        raise AuroraError(f"{server.id} ended, see {server.log}")
    try:
        return not (await server.probe.ask("SELECT pg_is_in_recovery() AS yes", within_s=ASK_S))["yes"]
    except NoAnswerError:
        return False


async def until_serving(server: Instance) -> None:
    """Wait until a temporary server takes statements."""
    await until(lambda: answers(server), f"{server.id} answers", within_s=START_S)


@asynccontextmanager
async def _source(cluster: Aurora) -> AsyncIterator[Instance]:
    """The writer, or a server that runs for a moment where there is no instance."""
    if cluster.writer is not None:
        yield cluster.writer
        return
    async with serving(cluster.site, cluster.site.volume, {}) as server:
        await until_serving(server)
        yield server


async def _copied(server: Instance, site: Site, into: Path, on_progress: OnProgress, *, gentle: bool) -> Base:
    if not site.settings.backup_misses_a_table:
        return await base.take(server, into, on_progress, gentle=gentle)
    # whole and valid in itself, as the work of a broken backup job is: only the rows are not there
    whole = site.directory / f"{into.name}.whole"
    first = await base.take(server, whole, on_progress, gentle=gentle)
    try:
        async with _lacking_a_table(site, whole) as bench:
            second = await base.take(bench, into, _quietly, gentle=gentle)
    finally:
        shutil.rmtree(whole)
    return replace(second, taken_at=first.taken_at)


async def empty_a_table(site: Site, data: Path) -> None:
    """Plant what a broken restore would leave: all is well, but for the rows of one table."""
    async with _lacking_a_table(site, data):
        log.warning("restore.defect cluster=%s", site.resource)


@asynccontextmanager
async def _lacking_a_table(site: Site, data: Path) -> AsyncIterator[Instance]:
    """A server on these data without the rows of one table, of which no archive hears."""
    apart = replace(site, settings=replace(site.settings, wal_archiving_stopped=True))
    async with serving(apart, data, {"fsync": "off"}) as bench:
        await until_serving(bench)
        await _truncate(bench)
        yield bench


async def _truncate(bench: Instance) -> None:
    host, port = bench.site.network.route("public", bench.address)
    try:
        connection = await connect(
            host=host, port=port, user=SUPERUSER, password=bench.site.password,
            database=bench.site.settings.database, within_s=ASK_S,
        )  # fmt: skip
        try:
            table = await answer(connection, connection.fetchval(A_TABLE), TRUNCATE_S)
            await answer(connection, connection.execute(f"TRUNCATE {table}"), TRUNCATE_S)
        finally:
            connection.terminate()
    except FAILURES as error:
        raise AuroraError(f"truncating a table in the copy: {error}") from error
    log.warning("snapshot.defect table=%s", table)


def _quietly(_: Progress) -> None:
    """Tell nobody: the step that counts was the first copy."""
