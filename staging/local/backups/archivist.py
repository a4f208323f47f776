"""Keep one cluster restorable to any instant: mark how far its archive reaches, and take new bases."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from staging.local.aurora.link import NoAnswerError
from staging.local.aurora.state import AuroraError
from staging.local.aurora.waiting import until
from staging.local.backups import base
from staging.local.backups.archive import Mark
from staging.local.backups.points import Progress, position

if TYPE_CHECKING:
    from staging.local.aurora.cluster import Aurora
    from staging.local.aurora.instance import Instance
    from staging.local.aurora.link import Link
    from staging.local.backups.archive import Archive

log = logging.getLogger("staging.local.backups")

ASK_S = 5.0
ARRIVE_S = 20.0
# from one base to the next: the most that a restore has to replay, and what an idle archive costs in disk
BASE_EVERY_BYTES = 128 << 20

# An empty transaction that commits as durably as a customer's, so that no failover takes it back.
MARK = "SELECT pg_logical_emit_message(true, 'rdsadmin', 'heartbeat'), pg_current_xact_id()::xid::text AS xid"
MARKED = """
SELECT pg_xact_commit_timestamp('{xid}'::xid) AS at, statement_timestamp() AS until,
       pg_current_wal_insert_lsn()::text AS lsn, pg_walfile_name(pg_current_wal_insert_lsn()) AS segment,
       pg_current_snapshot()::text AS snapshot
"""
QUIET = "SELECT statement_timestamp() AS until, pg_current_snapshot()::text AS snapshot"


class Archivist:
    """Works beside the cluster; when its writer does not answer, it tries again later."""

    def __init__(self, cluster: Aurora, archive: Archive, every_s: float) -> None:
        self._cluster = cluster
        self._archive = archive
        self._every_s = every_s
        # who wrote the last mark, and the snapshot after it, where nothing else was under way
        self._quiet: tuple[Instance, str] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Keep the archive useful, for ever."""
        while True:
            try:
                await self._round()
            except (NoAnswerError, AuroraError) as error:
                log.warning("archivist.later cluster=%s error=%s", self._cluster.name, error)
            except Exception:
                log.exception("archivist.error cluster=%s", self._cluster.name)
            await asyncio.sleep(self._every_s)

    async def flush(self) -> None:
        """Bring everything that was committed until now into the archive."""
        async with self._turn:
            writer = self._writer()
            if writer is None or self._cluster.site.archive is None:
                return
            link = writer.link()
            try:
                await self._mark(writer, link)
                await link.ask("SELECT pg_switch_wal()", within_s=ASK_S)
            finally:
                link.cut()
            mark = self._archive.marks[-1]
            await until(lambda: self._arrived(mark), "the log arrives in the archive", within_s=ARRIVE_S)

    async def _round(self) -> None:
        async with self._turn:
            writer = self._writer()
            if writer is None:
                return
            if not self._archive.bases or self._behind() > BASE_EVERY_BYTES:
                await self._rebase(writer)
            if self._cluster.site.archive is not None:
                link = writer.link()
                try:
                    await self._mark(writer, link)
                finally:
                    link.cut()

    def _writer(self) -> Instance | None:
        writer = self._cluster.writer
        return writer if writer is not None and writer.status == "available" else None

    def _behind(self) -> int:
        """Return how much log has been written since the newest base."""
        return self._archive.marks[-1].lsn - self._archive.bases[-1].end if self._archive.marks else 0

    async def _rebase(self, writer: Instance) -> None:
        number = self._archive.bases[-1].end if self._archive.bases else 0
        into = self._archive.directory / "bases" / f"after-{number:016X}"
        self._archive.bases.append(await base.take(writer, into, _quietly, gentle=True))
        self._quiet = None  # the next mark must lie behind it
        await asyncio.to_thread(self._archive.trim)

    async def _mark(self, writer: Instance, link: Link) -> None:
        if self._quiet is not None:
            row = await link.ask(QUIET, within_s=ASK_S)
            if (writer, row["snapshot"]) == self._quiet:
                self._archive.note(replace(self._archive.marks[-1], until=row["until"]))
                return
        xid = (await link.ask(MARK, within_s=ASK_S))["xid"]
        row = await link.ask(MARKED.format(xid=xid), within_s=ASK_S)
        self._archive.note(Mark(row["at"], row["at"], position(row["lsn"]), row["segment"], xid))
        low, high, under_way = row["snapshot"].split(":")
        self._quiet = (writer, row["snapshot"]) if low == high and not under_way else None

    async def _arrived(self, mark: Mark) -> bool:
        return self._archive.arrived(mark)


def _quietly(_: Progress) -> None:
    """Tell nobody: it is the archive's own business."""
