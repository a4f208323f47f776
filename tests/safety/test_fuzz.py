"""Whatever a file holds, it is planned or refused with one clear line, and nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.safety import fuzz
from tests.safety.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 20261123


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name, value in fuzz.SHELTERED.items():
        monkeypatch.setenv(name, value)
    built = Scene(tmp_path)
    built.announce()
    yield built
    built.stop()


def test_fuzzed_files(scene: Scene, tmp_path: Path) -> None:
    """A few; `bench/fuzz.py` reads ten thousand."""
    seen = fuzz.files(scene, SEED, range(300), tmp_path)

    assert [(read.kind, read.number, read.raised or read.said) for read in seen if not read.good] == []
    assert scene.changes() == []
    assert {read.kind for read in seen if read.code} == {"experiment", "staging", "approval"}
    assert {read.kind for read in seen if not read.code} >= {"experiment", "approval"}  # the good ones
