"""A host that is killed in the middle of a backup or a restore leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.local
ROOT = Path(__file__).parents[4]
ENDLESS = Path(__file__).with_name("endless.py")
GONE_WITHIN_S = 20.0


def inhabitants(place: Path) -> list[str]:
    cwds = [process.info["cwd"] or "" for process in psutil.process_iter(["cwd"])]
    return [cwd for cwd in cwds if cwd.startswith(str(place))]


@pytest.mark.parametrize(
    "step",
    ["replay", *(pytest.param(step, marks=pytest.mark.long) for step in ("base backup", "copy", "verify"))],
)
def test_a_kill_in_any_step_leaves_no_process(place: Path, step: str) -> None:
    path = os.pathsep.join(entry for entry in (str(ROOT), *sys.path) if entry)
    with subprocess.Popen(
        [sys.executable, str(ENDLESS), str(place)], cwd="/", env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE, text=True,
    ) as host:  # fmt: skip
        try:
            assert host.stdout is not None
            assert any(line.strip() == step for line in host.stdout)
            assert len(inhabitants(place)) > 2
        finally:
            host.kill()
    deadline = time.monotonic() + GONE_WITHIN_S
    while inhabitants(place):
        assert time.monotonic() < deadline, inhabitants(place)
        time.sleep(0.05)
