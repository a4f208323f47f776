"""Take a base backup of a running server: a directory with its own log, and a manifest of checksums."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from staging.local import binaries
from staging.local.aurora import programs
from staging.local.aurora.state import AuroraError
from staging.local.backups.points import SEGMENT_BYTES, OnProgress, Progress, position, segment_name
from staging.local.backups.write_out import write_out

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.aurora.instance import Instance

log = logging.getLogger("staging.local.backups")

BACKUP_S = 600.0
GENTLE_RATE = "32M"  # a second
DECODE_S = 60.0
_KILOBYTES = re.compile(rb"(\d+)/(\d+) kB")
_ERROR = re.compile(r"pg_basebackup: error: (.+)")
_COMMIT = re.compile(r"desc: COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC")


@dataclass(frozen=True)
class Base:
    """A base backup, and which part of the log it needs to be consistent. Positions are bytes of log."""

    path: Path
    taken_at: datetime  # every commit up to here is in it
    size_bytes: int
    timeline: int
    start: int
    end: int


async def take(server: Instance, into: Path, on_progress: OnProgress, *, gentle: bool) -> Base:
    """Copy the server's data while it works. A failure leaves nothing behind.

    `gentle` where it has customers, who are not to notice: then a gigabyte takes half a minute.
    """
    began = datetime.now(UTC)
    await asyncio.to_thread(_make, into)
    try:
        await _copy(server, into, on_progress, gentle=gentle)
        if gentle:
            await write_out(into, on_progress)
        return await _described(server, into, began, gentle=gentle)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, into)
        raise


def _make(into: Path) -> None:
    into.mkdir(mode=0o700, parents=True)
    binaries.own(into)


async def _copy(server: Instance, into: Path, on_progress: OnProgress, *, gentle: bool) -> None:
    said = server.directory / f"{into.name}.log"
    options = ["--no-sync", "--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256"]
    rate = [f"--max-rate={GENTLE_RATE}"] if gentle else []
    arguments = [*options, *rate, "--progress", "-d", server.road(server), "-D", str(into)]
    status = await programs.run(
        server.site, server.subnet, "pg_basebackup", *arguments, cwd=server.directory, log=said,
        within_s=BACKUP_S, gentle=gentle, meanwhile=lambda: _tell(said, on_progress),
    )  # fmt: skip
    _tell(said, on_progress)
    words = _ERROR.findall(said.read_text(errors="replace"))
    said.unlink()
    if status:
        raise AuroraError(f"the base backup of {server.id} failed: {'; '.join(words) or status}")


def _tell(said: Path, on_progress: OnProgress) -> None:
    if said.exists() and (lines := _KILOBYTES.findall(said.read_bytes())):
        done, total = (int(number) << 10 for number in lines[-1])
        on_progress(Progress("base backup", min(done, total), total))


async def _described(server: Instance, path: Path, began: datetime, *, gentle: bool) -> Base:
    manifest = json.loads(await asyncio.to_thread((path / "backup_manifest").read_text))
    needed = manifest["WAL-Ranges"][-1]
    size = await asyncio.to_thread(_size, path)
    base = Base(
        path=path,
        taken_at=max(began, await _last_commit(server, path, needed, gentle=gentle) or began),
        size_bytes=size,
        timeline=needed["Timeline"],
        start=position(manifest["WAL-Ranges"][0]["Start-LSN"]),
        end=position(needed["End-LSN"]),
    )
    log.info("base.taken server=%s path=%s bytes=%s at=%s", server.id, path, size, base.taken_at)
    return base


def lacking(path: Path) -> list[str]:
    """Return which segments of its own log a base backup should have and has not; [] if it cannot be told."""
    try:
        needed = json.loads((path / "backup_manifest").read_text())["WAL-Ranges"]
    except (OSError, ValueError, KeyError):
        return []  # whoever holds it against its manifest says why
    names = [
        segment_name(part["Timeline"], number * SEGMENT_BYTES)
        for part in needed
        for number in range(_number(part["Start-LSN"]), _number(part["End-LSN"], last=True) + 1)
    ]
    return [name for name in names if not (path / "pg_wal" / name).exists()]


def _number(lsn: str, *, last: bool = False) -> int:
    return (position(lsn) - last) // SEGMENT_BYTES


def _size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


async def _last_commit(
    server: Instance, path: Path, needed: dict[str, str], *, gentle: bool
) -> datetime | None:
    """Return when the last transaction in it committed; None when none did while it was taken."""
    said = server.directory / f"{path.name}.commits"
    arguments = ["-p", str(path / "pg_wal"), "-t", str(needed["Timeline"]), "-r", "Transaction"]
    where = ["-s", needed["Start-LSN"], "-e", needed["End-LSN"]]
    status = await programs.run(
        server.site, server.subnet, "pg_waldump", *arguments, *where, cwd=server.directory, log=said,
        within_s=DECODE_S, gentle=gentle,
    )  # fmt: skip
    text = await asyncio.to_thread(said.read_text)
    said.unlink()
    if status:
        raise AuroraError(f"the log of the base backup cannot be read: {text[-200:].strip()}")
    commits = _COMMIT.findall(text)
    return max(map(_moment, commits)) if commits else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
