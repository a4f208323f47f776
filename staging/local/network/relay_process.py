"""The host's end of the relay: start it, give it orders, wait for its answers."""

from __future__ import annotations

import json
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from staging.local.network.spawner import Spawner

_MODULE = "staging.local.network.relay"
_ANSWER_WITHIN_S = 10


class RelayProcess:
    """One running relay; every method may be called from any thread."""

    def __init__(self, spawner: Spawner) -> None:
        self._turn = threading.Lock()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_ANSWER_WITHIN_S)
        with theirs:
            argv = [sys.executable, "-m", _MODULE, str(theirs.fileno())]
            self._process = spawner.spawn(argv, log=None, pass_fds=[theirs.fileno()])
        self._answers = self._control.makefile("rb")

    def open(self, host: str, target: tuple[str, int], ends: Iterable[str], *, delay_s: float = 0) -> int:
        """Lay a wire that listens on `host` and leads to `target`; return the port."""
        wire = {"host": host, "target": target, "ends": list(ends), "delay_s": delay_s}
        return cast("int", self._ask({"open": wire})["port"])

    def close_wire(self, port: int) -> None:
        """Take one wire away, with the connections it carries."""
        self._ask({"close": port})

    def darken(self, subnets: Iterable[str]) -> None:
        """Make exactly these subnets dark."""
        self._ask({"dark": sorted(subnets)})

    def stop(self) -> None:
        """Hang up, and wait until it is gone."""
        self._answers.close()
        self._control.close()
        self._process.wait(_ANSWER_WITHIN_S)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._turn:
            self._control.sendall(json.dumps(order).encode() + b"\n")
            answer = json.loads(self._answers.readline() or b'{"error": "the relay has ended"}')
        if "error" in answer:
            raise RuntimeError(f"relay: {answer['error']}")
        return cast("dict[str, Any]", answer)
