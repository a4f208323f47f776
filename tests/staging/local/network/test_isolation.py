"""What clients of a dark subnet see, with namespaces as root and as an ordinary user, and with wires."""

from __future__ import annotations

import functools
import json
import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from staging.local.network.choose import choose, no_namespaces_because

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[4]
OBSERVER = Path(__file__).with_name("observer.py")
PATIENCE_S = 60.0

why_not = functools.cache(no_namespaces_because)


@contextmanager
def observer(isolation: str, *, python: str = sys.executable, user: str | None = None) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as directory:
        if user:
            os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
        with start([python, str(OBSERVER), isolation, directory], user) as process:
            try:
                yield process
            finally:
                process.kill()


def start(argv: list[str], user: str | None) -> subprocess.Popen[bytes]:
    group, groups = (pwd.getpwnam(user).pw_gid, list[int]()) if user else (None, None)
    path = os.pathsep.join(entry for entry in (str(ROOT), *sys.path) if entry)
    return subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", user=user, group=group,
        extra_groups=groups, env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip


def observed(isolation: str, **identity: Any) -> dict[str, Any]:
    with observer(isolation, **identity) as process:
        check_outside(int(process.stdout.readline()))
        process.stdout.readline()
        seen = json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
    return dict(seen)


def check_outside(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
        assert client.recv(10) == b"inside"


def check(seen: dict[str, Any]) -> None:
    assert seen["light"] == "echo"
    assert seen["dark, established"] == "TimeoutError"
    assert seen["dark, new"] == ["TimeoutError"] * 3
    assert seen["dark, own subnet"] == "echo"
    assert seen["dark, elsewhere"] == "echo"
    assert seen["light again, what was under way"] == "x"
    assert seen["light again, established"] == "echo"
    assert seen["light again, new"] == "echo"
    assert 1.0 <= seen["delay_s"] < 10.0  # half a second each way


@pytest.mark.local
def test_wires() -> None:
    seen = observed("wires")

    assert seen["isolation"] == "tcp wires"
    assert seen["refused"] != "TimeoutError"
    check(seen)


@pytest.mark.local
def test_namespaces() -> None:
    if why_not():
        pytest.skip(f"no namespaces: {why_not()}")
    seen = observed("namespaces")

    assert seen["isolation"] == "network namespaces"
    assert seen["refused"] == "ConnectionRefusedError"
    check(seen)


@pytest.mark.local
def test_namespaces_of_an_ordinary_user() -> None:
    if os.geteuid() != 0:
        pytest.skip("the test beside this one has shown it")
    python = python_of("nobody")
    if python is None:
        pytest.skip("nobody can run no Python with our packages")
    check(observed("namespaces", python=python, user="nobody"))


def python_of(user: str) -> str | None:
    """Find a Python that can use our packages as that user: our own may be hidden in root's home."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"):
        try:
            probe = start([python, "-m", "staging.local.network.probe"], user)
        except OSError:
            continue
        probe.communicate(timeout=PATIENCE_S)
        if probe.returncode == 0:
            return python
    return None


@pytest.mark.local
@pytest.mark.parametrize("isolation", ["namespaces", "wires"])
def test_children_die_with_a_host_that_is_killed(isolation: str) -> None:
    if isolation == "namespaces" and why_not():
        pytest.skip(f"no namespaces: {why_not()}")
    with observer(isolation) as process:
        check_outside(int(process.stdout.readline()))
        child = int(process.stdout.readline())
        assert psutil.pid_exists(child)
        process.kill()
        process.wait(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while psutil.pid_exists(child) and time.monotonic() < deadline:
            time.sleep(0.02)

        assert not psutil.pid_exists(child)


def test_an_unknown_isolation_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown isolation 'docker': namespaces or wires"):
        choose("docker")
