"""PostgreSQL's backup manifest: made to agree with files that were changed behind its back."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NAME = "backup_manifest"
_LAST = "Manifest-Checksum"


def rewrite(directory: Path) -> None:
    """Take sizes and checksums from the files as they lie there; missing ones are left out."""
    path = next(directory.rglob(NAME))
    content = json.loads(path.read_text())
    content["Files"] = [
        _measured(path.parent / file["Path"], file)
        for file in content["Files"]
        if "Path" not in file or (path.parent / file["Path"]).exists()
    ]
    content.pop(_LAST, None)
    # PostgreSQL wants the checksum of all lines before the last one on that last line
    body = json.dumps(content, indent=0)[:-2] + ",\n"
    checksum = hashlib.sha256(body.encode()).hexdigest()
    path.write_text(f'{body}"{_LAST}": "{checksum}"}}\n')


def last_segment(directory: Path, segment_bytes: int) -> str:
    """Return the name of the last segment of write-ahead log that a restore of this backup cannot do without.

    As XLogFileName of PostgreSQL's xlog_internal.h makes it of the timeline and the position.
    """
    content = json.loads(next(directory.rglob(NAME)).read_text())
    needed = content["WAL-Ranges"][-1]
    high, low = (int(part, 16) for part in needed["End-LSN"].split("/"))
    number = ((high << 32) + low - 1) // segment_bytes
    log, segment = divmod(number, (1 << 32) // segment_bytes)
    return f"{needed['Timeline']:08X}{log:08X}{segment:08X}"


def _measured(path: Path, file: dict[str, Any]) -> dict[str, Any]:
    if "Path" not in file or file.get("Checksum-Algorithm") != "SHA256":
        return file
    content = path.read_bytes()
    return {**file, "Size": len(content), "Checksum": hashlib.sha256(content).hexdigest()}
