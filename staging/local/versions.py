"""Which programs the local staging runs, for a drill's record."""

from __future__ import annotations

import platform
import re
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING

from staging.local.binaries import haproxy_bin, postgres_bin, valkey_bin

if TYPE_CHECKING:
    from pathlib import Path

_NUMBER = re.compile(r"\d+(\.\d+)+")


def versions(data_dir: Path) -> dict[str, str]:
    """Ask each program once."""
    return {
        "python": platform.python_version(),
        "moto": version("moto"),
        "postgresql": _of([str(postgres_bin(data_dir / "aurora") / "postgres"), "--version"]),
        "valkey": _of([str(valkey_bin()), "--version"]),
        "haproxy": _of([str(haproxy_bin()), "-v"]),
    }


def _of(argv: list[str]) -> str:
    said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10).stdout
    found = _NUMBER.search(said)
    return found.group() if found else "unknown"
