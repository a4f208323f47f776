"""Try, in a process of its own, whether namespaces on this machine really isolate; exit code 0 if so."""

from __future__ import annotations

import socket
import sys

from staging.local.network.namespaces import Namespaces

_LIGHT_WITHIN_S = 2.0
_DARK_FOR_S = 0.2


def complaint(network: Namespaces) -> str | None:
    """Build it, and say what is wrong: a subnet must answer while it is light, and only then."""
    try:
        network.start()
        if not _answers(network, _LIGHT_WITHIN_S):
            return "packets do not arrive"
        network.darken(frozenset({"app-a"}))
    except Exception as error:  # noqa: BLE001 - kernels refuse in many ways, and each is an answer
        return f"{type(error).__name__}: {error}"
    return "a dark subnet still answers" if _answers(network, _DARK_FOR_S) else None


def _answers(network: Namespaces, within_s: float) -> bool:
    target = network.listener("app-a")
    try:
        socket.create_connection(network.route("public", target), within_s)
    except ConnectionRefusedError:  # nobody listens there, and its kernel says so
        return True
    except TimeoutError:
        return False
    raise AssertionError("somebody listens in an empty subnet")


if __name__ == "__main__":
    sys.exit(complaint(Namespaces()))
