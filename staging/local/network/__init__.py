"""Subnets that can go dark: packets vanish and connections hang, as when a NACL denies everything.

Two worlds with one interface: `namespaces` (Linux network namespaces joined by a router, nothing of
it visible outside) and `wires` (TCP relays on loopback that can stop carrying), for machines that
allow no namespaces. Traffic inside one subnet is never affected, as with a real NACL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from subprocess import Popen

# The VPCs of the local staging, one in each region: the first three numbers of a subnet's addresses.
SUBNETS = {
    "public": "10.20.0",  # the load balancers, the endpoints of AWS services, and the staging host itself
    "app-a": "10.20.1",
    "app-b": "10.20.2",
    "data-a": "10.20.11",
    "data-b": "10.20.12",
    "cache-a": "10.20.21",
    "cache-b": "10.20.22",
    "west-app-a": "10.30.1",
    "west-app-b": "10.30.2",
    "west-data-a": "10.30.11",
    "west-data-b": "10.30.12",
}


@dataclass(frozen=True)
class Address:
    """Where a server listens, as seen from inside its own subnet."""

    subnet: str
    host: str
    port: int


class Network(Protocol):
    """The VPC of the local staging. Every method may be called from any thread of the host process."""

    isolation: str  # "network namespaces" or "tcp wires", for the evidence

    def start(self) -> None:
        """Build it. Called once, by the host's main thread, before any other thread exists."""

    def stop(self) -> None:
        """Take down what `start` built; idempotent."""

    def listener(self, subnet: str) -> Address:
        """Reserve an address where a server in that subnet shall listen; never handed out twice."""

    def release(self, address: Address) -> None:
        """Give back the address of a server that has ended, and the routes to it."""

    def route(self, source: str, target: Address) -> tuple[str, int]:
        """Return host and port by which a client in subnet `source` reaches the server at `target`."""

    def outside(self) -> socket.socket:
        """Return a listening TCP socket on the machine's own loopback, port chosen by the kernel.

        For what the harness and the load must reach: the load balancer and the AWS API.
        """

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
        """Start a process inside the subnet, output appended to `log`.

        `env` is added to a minimal environment (PATH, LANG, HOME where the log is). `gentle` starts
        it last in line for the CPU, in a session of its own, until somebody hastens it. `unprivileged` is
        for what refuses root: when the host is root, the process runs as the user of
        `staging.local.binaries`. It dies with the host, or with `stop`, by SIGKILL.
        """

    def darken(self, subnets: frozenset[str]) -> None:
        """Make exactly these subnets dark, all others light."""

    def delay(self, source: str, target: Address, seconds: float) -> tuple[str, int]:
        """Like `route`, but everything takes `seconds` longer to arrive: for planted defects."""
