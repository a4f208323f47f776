"""Bring a reader home: have it follow the writer, catch up, and count as a copy of every commit again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from staging.local.aurora.look import SQL
from staging.local.aurora.state import AuroraError
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from staging.local.aurora.instance import Instance

log = logging.getLogger("staging.local.aurora")

COPY_S = 120.0
REWIND_S = 60.0
CHECKPOINT_S = 60.0
STREAM_S = 15.0
PATIENT_STREAM_S = 120.0  # over a delayed link even a greeting takes half a minute
ADMISSION_S = 15.0
CLOSE_S = 60.0
CLOSE_BYTES = 256 * 1024


class RoadClosedError(AuroraError):
    """The reader's subnet cannot reach the writer: wait, there is nothing to mend."""


async def come_home(reader: Instance, writer: Instance) -> None:
    """Bring the reader home, or raise; then it may be tried again."""
    if reader.exited or reader.way != "stream":
        await _revive(reader, writer)
    await _stream(reader, writer)
    if not reader.site.settings.async_standby:
        await _admit(reader, writer)
    reader.home = True
    reader.status = "available"
    log.info("reader.home id=%s in_sync=%s", reader.id, reader.in_sync)


async def _revive(reader: Instance, writer: Instance) -> None:
    await reader.fence()
    if reader.way != "stream":
        await _require_road(reader, writer)
        await _mend(reader, writer)
    reader.mark_standby()
    reader.follow(writer)
    reader.start()


async def _require_road(reader: Instance, writer: Instance) -> None:
    road = reader.road(writer)
    if await reader.run("pg_isready", "-q", "-t", "2", "-d", f"{road} dbname=postgres", within_s=5.0):
        raise RoadClosedError(f"{reader.subnet} cannot reach {writer.id}")


async def _mend(reader: Instance, writer: Instance) -> None:
    way, reader.way = reader.way, "copy"  # a rewind cut short leaves files that only a copy can mend
    if way == "copy" or not await _rewind(reader, writer):
        await _copy(reader, writer)
    reader.way = "stream"


async def _rewind(reader: Instance, writer: Instance) -> bool:
    """Undo what the old writer had and the new one has not. Return whether that worked."""
    # until the new writer's first checkpoint, its files still tell of the timeline before its promotion
    link = writer.link()
    try:
        await link.ask("CHECKPOINT", within_s=CHECKPOINT_S)
    finally:
        link.cut()
    source = f"{reader.road(writer)} dbname=postgres"
    options = ["--no-sync", f"--config-file={reader.config}", f"--source-server={source}"]
    status = await reader.run("pg_rewind", *options, "-D", str(reader.data), within_s=REWIND_S)
    log.info("reader.rewind id=%s status=%s", reader.id, status)
    return status == 0


async def _copy(reader: Instance, writer: Instance) -> None:
    await reader.clear()
    # on AWS both see the same storage: a damaged page there keeps nobody from making an instance
    unlooked = ["--no-verify-checksums", "--no-manifest"]
    options = ["--no-sync", *unlooked, "--checkpoint=fast", "--wal-method=stream", "-d", reader.road(writer)]
    status = await reader.run("pg_basebackup", *options, "-D", str(reader.data), within_s=COPY_S)
    log.info("reader.copy id=%s status=%s", reader.id, status)
    if status:
        raise AuroraError(f"pg_basebackup failed, see {reader.directory / 'programs.log'}")


async def _stream(reader: Instance, writer: Instance) -> None:
    within_s = PATIENT_STREAM_S if reader.site.settings.async_standby else STREAM_S
    try:
        await until(lambda: _streams(reader, writer), f"{reader.id} streams", within_s=within_s)
    except AuroraError:
        await _require_road(reader, writer)
        reader.way = "copy"  # nothing is in its way, and still it does not follow
        raise


async def _streams(reader: Instance, writer: Instance) -> bool:
    if reader.exited:
        raise AuroraError(f"{reader.id} ended, see {reader.log}")
    return reader.seen is not None and writer.seen is not None and writer.seen.streaming


async def _admit(reader: Instance, writer: Instance) -> None:
    """Have commits wait for the reader, and wait until it also holds everything from before they did.

    Not before it has almost caught up: customers would wait with their commits for all that it missed.
    """
    await until(lambda: _close(writer), f"{reader.id} is close to {writer.id}", within_s=CLOSE_S)
    writer.configure(awaits=reader.place)
    try:
        await until(lambda: _awaited(writer), f"{writer.id} awaits {reader.id}", within_s=ADMISSION_S)
        flushed = await _flushed_since_awaiting(writer)
        await until(lambda: _arrived(writer, flushed), f"{reader.id} catches up", within_s=ADMISSION_S)
    except BaseException:
        writer.configure()  # or every commit would wait for a reader that does not come
        raise
    reader.in_sync = True


async def _flushed_since_awaiting(writer: Instance) -> int:
    """Return a position after which every acknowledged commit has waited."""
    link = writer.link()
    try:
        # It is the checkpointer that tells commits to wait, and it reads its configuration before it
        # serves a request. Without this, a checkpointer busy syncing files could be late by seconds.
        await link.ask("CHECKPOINT", within_s=CHECKPOINT_S)
        row = await link.ask(SQL, within_s=ADMISSION_S)
        return int(row["flushed"])
    finally:
        link.cut()


async def _close(writer: Instance) -> bool:
    return writer.seen is not None and writer.seen.flushed - writer.seen.arrived < CLOSE_BYTES


async def _awaited(writer: Instance) -> bool:
    return writer.seen is not None and writer.seen.awaited


async def _arrived(writer: Instance, position: int) -> bool:
    return writer.seen is not None and writer.seen.arrived >= position
