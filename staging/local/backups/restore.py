"""Restore: copy a base backup, verify the copy, replay the log to its target, and end with a clean server.

PostgreSQL takes damaged log for the end of the log, promotes and reports success, when it was given no
target. So there always is one, and it has to be reached.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from staging.local import binaries
from staging.local.aurora import programs
from staging.local.aurora.link import NoAnswerError
from staging.local.backups.base import lacking
from staging.local.backups.copying import copy
from staging.local.backups.points import OnProgress, Progress, RestoreFailedError, position
from staging.local.backups.workbench import serving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from staging.local.aurora.instance import Instance
    from staging.local.aurora.site import Site

VERIFY_S = 600.0
REPLAY_S = 1800.0
CHECKPOINT_S = 120.0
ASK_S = 2.0
LOOK_S = 0.05
_KILOBYTES = re.compile(rb"(\d+)/(\d+) kB")
_COMPLAINT = re.compile(r"pg_(?:verifybackup|waldump): error: (.+)")
_LINE = re.compile(r"(?:FATAL|PANIC|LOG|HINT):  (.+)")
_TELLING = re.compile(
    r"FATAL|PANIC|checksum|invalid|incorrect|unexpected|could not|missing|wrong length|contrecord",
    re.IGNORECASE,
)
# a copy that is only worth its disk once it is whole
_FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "archive_mode": "off"}


@dataclass(frozen=True)
class Replay:
    """Where the log is, and where to stop in it. Positions are bytes of log."""

    settings: Mapping[str, str]
    start: int
    end: int


async def restore(site: Site, source: Path, replay: Replay, on_progress: OnProgress) -> None:
    """Make the cluster's data from a base backup. A failure leaves nothing of them."""
    try:
        await copy(source, site.volume, on_progress)
        await _verify(site, on_progress)
        await _replay(site, replay, on_progress)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, site.volume, ignore_errors=True)
        raise


async def _verify(site: Site, on_progress: OnProgress) -> None:
    """Hold the copy against its manifest: these are the bytes that will be served."""
    if missing := await asyncio.to_thread(lacking, site.volume):
        raise RestoreFailedError(f"the backup is damaged: it lacks the WAL segment {', '.join(missing[:3])}")
    said = site.directory / "verify.log"

    def tell() -> None:
        if said.exists() and (lines := _KILOBYTES.findall(said.read_bytes())):
            done, total = (int(number) << 10 for number in lines[-1])
            on_progress(Progress("verify", done, total))

    status = await programs.run(
        site, "public", "pg_verifybackup", "--progress", str(site.volume), cwd=site.directory, log=said,
        within_s=VERIFY_S, meanwhile=tell,
    )  # fmt: skip
    tell()
    words = said.read_text(errors="replace")
    said.unlink()
    if status:
        complaints = _COMPLAINT.findall(words) or [words.strip()]
        raise RestoreFailedError(f"the backup is damaged: {'; '.join(complaints[:3])}")


async def _replay(site: Site, replay: Replay, on_progress: OnProgress) -> None:
    signal_file = site.volume / "recovery.signal"
    signal_file.touch(mode=0o600)
    binaries.own(signal_file)
    settings = {**_FAST, "recovery_target_action": "promote", "recovery_target_inclusive": "on"}
    async with serving(site, site.volume, settings | dict(replay.settings)) as server:
        await _until_promoted(server, replay, on_progress)
        link = server.link()
        try:
            await link.ask("CHECKPOINT", within_s=CHECKPOINT_S)
        finally:
            link.cut()
    on_progress(Progress("replay", replay.end - replay.start, replay.end - replay.start))


async def _until_promoted(server: Instance, replay: Replay, on_progress: OnProgress) -> None:
    total = replay.end - replay.start
    deadline = asyncio.get_running_loop().time() + REPLAY_S
    while await _recovering(server, replay.start, total, on_progress):
        if server.exited:
            raise RestoreFailedError(_reason(server.log))
        if asyncio.get_running_loop().time() > deadline:
            raise RestoreFailedError(f"the replay was not done within {REPLAY_S:g} s")
        await asyncio.sleep(LOOK_S)
    if "recovery stopping" not in server.log.read_text(errors="replace"):
        raise RestoreFailedError(f"the replay ended before its target: {_reason(server.log)}")


async def _recovering(server: Instance, start: int, total: int, on_progress: OnProgress) -> bool:
    """Look whether it still replays, and say how far it is."""
    try:
        row = await server.probe.ask(
            "SELECT pg_is_in_recovery() AS on, coalesce(pg_last_wal_replay_lsn(), '0/0')::text AS at",
            within_s=ASK_S,
        )
    except NoAnswerError:
        return True  # not yet consistent, or ended
    on_progress(Progress("replay", min(max(position(row["at"]) - start, 0), total), total))
    return bool(row["on"])


def _reason(said: Path) -> str:
    """Return what the server said about its end."""
    lines = [line for line in said.read_text(errors="replace").splitlines() if _TELLING.search(line)]
    words = [match[1] for line in lines if (match := _LINE.search(line)) and "connection" not in line]
    return "the log cannot be replayed to its target: " + "; ".join(dict.fromkeys(words[-4:]))
