"""The most faithful network: each subnet a Linux network namespace, joined by a router, visible to no one."""

from __future__ import annotations

import itertools
import os
import socket
import threading
from typing import TYPE_CHECKING

from staging.local.network import SUBNETS, Address
from staging.local.network.kernel import enter_new_network, enter_new_network_without_privilege
from staging.local.network.relay_process import RelayProcess
from staging.local.network.router import Router, address_of
from staging.local.network.spawner import Spawner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from subprocess import Popen

HOME = "public"  # where the host itself lives
_LATER = "west-"  # the other region is empty until somebody restores something there
_OUTSIDE_SOCKETS = 4
_FIRST_PORT = 8080
_SERVER_ADDRESSES = range(128, 255)


class Namespaces:
    """A `Network` of the kernel's own; needs root, or a kernel that lets users make namespaces.

    `start` moves the host into the public subnet, and nothing brings it back: the namespaces end with it.
    """

    isolation = "network namespaces"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outside: list[socket.socket] = []
        self._rooms: dict[str, Spawner] = {}
        self._router: Router | None = None
        self._free = {subnet: _addresses(subnet) for subnet in SUBNETS}
        self._relay: RelayProcess | None = None
        self._delayed: dict[tuple[str, Address, float], tuple[str, int]] = {}

    def start(self) -> None:
        """Move into the public subnet, and build the router and all other subnets around it."""
        self._outside = [_bound_to_loopback() for _ in range(_OUTSIDE_SOCKETS)]
        if os.geteuid() == 0:
            enter_new_network()
        else:
            enter_new_network_without_privilege()
        self._router = Router()
        for subnet in SUBNETS:
            if not subnet.startswith(_LATER):
                self._room(subnet)

    def stop(self) -> None:
        """Kill what was spawned and end the other subnets."""
        if self._relay:
            self._relay.stop()
        for room in self._rooms.values():
            room.close()
        if self._router:
            self._router.close()
        for unused in self._outside:
            unused.close()
        self._relay, self._router = None, None
        self._rooms, self._outside = {}, []

    def listener(self, subnet: str) -> Address:
        """Reserve an address: another host of the subnet for each server, as on AWS."""
        if subnet not in SUBNETS:
            raise ValueError(f"unknown subnet {subnet!r}: one of {', '.join(SUBNETS)}")
        with self._lock:
            return next(self._free[subnet])

    def release(self, address: Address) -> None:
        """Take down the slow wires to it; the address itself is never used again."""
        with self._lock:
            for wire in [wire for wire in self._delayed if wire[1] == address]:
                _, port = self._delayed.pop(wire)
                self._running_relay().close_wire(port)

    def route(self, source: str, target: Address) -> tuple[str, int]:  # noqa: ARG002 - of the protocol
        """Return the address itself: the router leads there from everywhere."""
        return target.host, target.port

    def delay(self, source: str, target: Address, seconds: float) -> tuple[str, int]:
        """Lead through a relay in the public subnet that takes its time."""
        with self._lock:
            key = (source, target, seconds)
            if key not in self._delayed:
                relay, host = self._running_relay(), address_of(HOME, 2)
                port = relay.open(host, (target.host, target.port), (), delay_s=seconds)
                self._delayed[key] = (host, port)
            return self._delayed[key]

    def outside(self) -> socket.socket:
        """Listen where the machine's own loopback is, though we have left it."""
        with self._lock:
            if not self._outside:
                raise RuntimeError(f"no more than {_OUTSIDE_SOCKETS} sockets lead outside")
            door = self._outside.pop()
        door.listen()
        return door

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
        """Start a process from the subnet's own thread, whose namespace it inherits."""
        with self._lock:
            room = self._room(subnet)
        return room.spawn(
            argv,
            env=env,
            cwd=cwd,
            log=log,
            pass_fds=pass_fds,
            unprivileged=unprivileged,
            gentle=gentle,
        )

    def darken(self, subnets: frozenset[str]) -> None:
        """Let the router drop, silently, what comes from these subnets or goes there."""
        self._running_router().darken(subnets)

    def _room(self, subnet: str) -> Spawner:
        """Return where the subnet's processes start, built when it is first needed."""
        if subnet not in self._rooms:
            router, room = self._running_router(), Spawner(subnet)
            if subnet != HOME:
                room.run(enter_new_network)
            router.connect(subnet, room)
            self._rooms[subnet] = room
        return self._rooms[subnet]

    def _running_router(self) -> Router:
        if self._router is None:
            raise RuntimeError("the network is not started")
        return self._router

    def _running_relay(self) -> RelayProcess:
        if self._relay is None:
            self._relay = RelayProcess(self._rooms[HOME])
        return self._relay


def _addresses(subnet: str) -> Iterator[Address]:
    for port in itertools.count(_FIRST_PORT):
        for host in _SERVER_ADDRESSES:
            yield Address(subnet, address_of(subnet, host), port)


def _bound_to_loopback() -> socket.socket:
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    return door
