from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that PostgreSQL's user can get to; below root's `tmp_path` it cannot."""
    with tempfile.TemporaryDirectory(prefix="aurora-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory
