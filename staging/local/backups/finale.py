"""The end of a cluster's log, when its last instance has gone: it, too, belongs into the archive."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from staging.local import binaries
from staging.local.aurora import programs
from staging.local.backups.archive import Archive, Mark
from staging.local.backups.points import position, segment_name

if TYPE_CHECKING:
    from staging.local.aurora.site import Site

log = logging.getLogger("staging.local.backups")

READ_S = 10.0
_FIELD = re.compile(
    r"^(Database cluster state|Latest checkpoint location|Latest checkpoint's TimeLineID):\s+(.+)$",
    re.MULTILINE,
)


async def note(site: Site, archive: Archive) -> None:
    """Archive the last piece, and mark the shutdown as the latest instant there is."""
    if site.archive is None:
        return
    ended = datetime.now(UTC)
    said = site.directory / "controldata.log"
    status = await programs.run(
        site,
        "public",
        "pg_controldata",
        "-D",
        str(site.volume),
        cwd=site.directory,
        log=said,
        within_s=READ_S,
    )
    fields = dict(_FIELD.findall(said.read_text()))
    said.unlink()
    if status or fields.get("Database cluster state") != "shut down":
        log.warning("finale.unknown cluster=%s fields=%s", archive.cluster, fields)
        return  # killed: then what the last mark promises is the latest
    checkpoint = position(fields["Latest checkpoint location"])
    name = segment_name(int(fields["Latest checkpoint's TimeLineID"]), checkpoint)
    # the server itself archives whole segments only, and it ended within this one
    target = archive.wal / name
    await asyncio.to_thread(shutil.copyfile, site.volume / "pg_wal" / name, target)
    binaries.own(target)
    archive.conclude(Mark(ended, ended, checkpoint, name, None))
