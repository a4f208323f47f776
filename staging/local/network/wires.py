"""The portable network: everything on loopback, and a relay that can stop carrying between subnets."""

from __future__ import annotations

import socket
import sys
import threading
from typing import TYPE_CHECKING

from staging.local.network import SUBNETS, Address
from staging.local.network.relay_process import RelayProcess
from staging.local.network.spawner import Spawner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from subprocess import Popen

LOOPBACK = "127.0.0.1"


class Wires:
    """A `Network` without privileges: from one subnet to another there are only the relay's wires."""

    isolation = "tcp wires"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reserved: dict[Address, socket.socket] = {}
        self._wires: dict[tuple[str, Address, float], int] = {}
        self._spawner: Spawner
        self._relay: RelayProcess | None = None

    def start(self) -> None:
        """Start the relay."""
        self._spawner = Spawner("wires")
        self._relay = RelayProcess(self._spawner)

    def stop(self) -> None:
        """Take the wires down and kill what was spawned."""
        if self._relay is None:
            return
        self._relay.stop()
        self._relay = None
        self._spawner.close()
        for reserved in self._reserved.values():
            reserved.close()
        self._reserved.clear()

    def listener(self, subnet: str) -> Address:
        """Reserve a free port of loopback."""
        if subnet not in SUBNETS:
            raise ValueError(f"unknown subnet {subnet!r}: one of {', '.join(SUBNETS)}")
        reserved = socket.socket()
        # the reservation stays bound, so that nobody else is given the port; who also sets
        # SO_REUSEADDR, as servers do, may still bind it and listen
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((LOOPBACK, 0))
        address = Address(subnet, *reserved.getsockname())
        if sys.platform != "linux":  # elsewhere a bound port cannot be shared like that
            reserved.close()
        with self._lock:
            self._reserved[address] = reserved
        return address

    def release(self, address: Address) -> None:
        """Give the port back and take down the wires to it."""
        with self._lock:
            self._reserved.pop(address).close()
            for wire in [wire for wire in self._wires if wire[1] == address]:
                self._running().close_wire(self._wires.pop(wire))

    def route(self, source: str, target: Address) -> tuple[str, int]:
        """Lead straight within a subnet, else over the wire from this source to this target."""
        if source == target.subnet:
            return target.host, target.port
        return self._wire(source, target, 0)

    def delay(self, source: str, target: Address, seconds: float) -> tuple[str, int]:
        """Lead over a wire that takes its time."""
        return self._wire(source, target, seconds)

    def outside(self) -> socket.socket:
        """Listen on loopback: inside and outside are one."""
        return socket.create_server((LOOPBACK, 0))

    def spawn(
        self,
        subnet: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path,
        pass_fds: Sequence[int] = (),
        unprivileged: bool = False,
        gentle: bool = False,
    ) -> Popen[bytes]:
        """Start a process; which subnet it is in shows only in the routes that it is given."""
        if subnet not in SUBNETS:
            raise ValueError(f"unknown subnet {subnet!r}: one of {', '.join(SUBNETS)}")
        return self._spawner.spawn(
            argv,
            env=env,
            cwd=cwd,
            log=log,
            pass_fds=pass_fds,
            unprivileged=unprivileged,
            gentle=gentle,
        )

    def darken(self, subnets: frozenset[str]) -> None:
        """Stop the wires that begin or end in these subnets."""
        self._running().darken(subnets)

    def _wire(self, source: str, target: Address, delay_s: float) -> tuple[str, int]:
        key = (source, target, delay_s)
        with self._lock:
            if key not in self._wires:
                # within a subnet nothing is ever cut
                ends = {source, target.subnet} if source != target.subnet else set[str]()
                place = (target.host, target.port)
                self._wires[key] = self._running().open(LOOPBACK, place, ends, delay_s=delay_s)
            return LOOPBACK, self._wires[key]

    def _running(self) -> RelayProcess:
        if self._relay is None:
            raise RuntimeError("the network is not started")
        return self._relay
