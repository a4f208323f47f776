"""Files of a recovery point with their checksums, for the kinds that PostgreSQL does not seal itself."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from staging.local.control_plane.backup.kinds import Damaged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEAL = "manifest.json"


def seal(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write the files, then their checksums."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (directory / SEAL).write_text(json.dumps(sums))


def read_sealed(directory: Path, *, trusting: bool = False) -> dict[str, bytes]:
    """Return the files; raise Damaged when one is not what was written, unless `trusting`."""
    files = {}
    for name, expected in json.loads((directory / SEAL).read_text()).items():
        path = directory / name
        if not path.exists():
            raise Damaged(f"{name} is missing")
        files[name] = path.read_bytes()
        if not trusting and hashlib.sha256(files[name]).hexdigest() != expected:
            raise Damaged(f"the checksum of {name} is wrong")
    return files
