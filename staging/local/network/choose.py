"""Choose the most faithful network that this machine allows."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from staging.local.network import Network

ISOLATIONS = ("namespaces", "wires")
_PROBE_WITHIN_S = 30


def choose(wanted: str | None) -> Network:
    """Return the network that is wanted, not yet started; None leaves the choice to the machine."""
    if wanted not in (*ISOLATIONS, None):
        raise ValueError(f"unknown isolation {wanted!r}: {' or '.join(ISOLATIONS)}")
    if wanted == "wires":
        return _wires()
    obstacle = no_namespaces_because()
    if obstacle is None:
        return _namespaces()
    if wanted == "namespaces":
        raise RuntimeError(f"this machine allows no network namespaces ({obstacle}); try wires")
    return _wires()


def no_namespaces_because() -> str | None:
    """Say what stands in the way of namespaces; None if nothing does."""
    if sys.platform != "linux":
        return f"they need Linux, not {sys.platform}"
    argv = [sys.executable, "-m", "staging.local.network.probe"]
    try:
        # in a process of its own, because nothing undoes an attempt that got half way
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=_PROBE_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        return f"trying took more than {_PROBE_WITHIN_S} s"
    if ended.returncode == 0:
        return None
    return (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]


# imported late: pyroute2 takes a third of a second, and is for Linux only
def _namespaces() -> Network:
    from staging.local.network.namespaces import Namespaces  # noqa: PLC0415 - see above

    return Namespaces()


def _wires() -> Network:
    from staging.local.network.wires import Wires  # noqa: PLC0415 - only the one that is used

    return Wires()
