"""Backups do not know on which kind of network they are made."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from staging.local.network.choose import no_namespaces_because

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[4]
REHEARSAL = Path(__file__).with_name("rehearsal.py")
WITHIN_S = 180.0

why_not = functools.cache(no_namespaces_because)


@pytest.mark.parametrize(
    ("isolation", "called"),
    [
        ("namespaces", "network namespaces"),
        pytest.param("wires", "tcp wires", marks=pytest.mark.long),
    ],
)
def test_a_destroyed_cluster_comes_back_from_a_snapshot_and_from_its_archive(
    place: Path, isolation: str, called: str
) -> None:
    if isolation == "namespaces" and why_not():
        pytest.skip(f"no namespaces here: {why_not()}")
    path = os.pathsep.join(entry for entry in (str(ROOT), *sys.path) if entry)
    ended = subprocess.run(
        [sys.executable, str(REHEARSAL), isolation, str(place)], cwd="/",
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "isolation": called,
        "snapshot": ["before"],
        "instant": ["before"],
        "latest": ["after", "before"],
        "after two failovers": ["before", "life goes on"],
    }
    cwds = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
    assert [cwd for cwd in cwds if cwd.startswith(str(place))] == []
