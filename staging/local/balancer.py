"""The load balancers: one HAProxy that is the ALB of the bank in each region, and its databases' endpoints.

Targets, and the servers behind the endpoints, change while it runs. Like an ALB it sends no request
twice. Like a DNS name without TTL an endpoint leads new connections to its present server and leaves
established ones where they are. Customers come to one address, and are led to one of the two ALBs, or
into the dark.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from staging.local.balancer_config import (
    ALB,
    CUSTOMERS,
    ENDPOINT_SERVER,
    STANDBY,
    BalancerTimings,
    Way,
    configuration,
)
from staging.local.balancer_readings import Figures, Totals, figures, totals
from staging.local.balancer_runtime import BalancerError, Runtime
from staging.local.balancer_targets import Targets
from staging.local.binaries import haproxy_bin

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path
    from subprocess import Popen

    from staging.local.network import Address, Network


class Balancer(Targets):
    """Runs HAProxy in the public subnet; `front` is where customers come to.

    Its own targets are those of the first region; `standby` has those of the other one.
    """

    def __init__(
        self,
        network: Network,
        directory: Path,
        *,
        front: socket.socket,
        endpoints: Sequence[str] = (),
        timings: BalancerTimings | None = None,
    ) -> None:
        runtime, timings = Runtime(directory / "balancer.sock"), timings or BalancerTimings()
        super().__init__(runtime, ALB, timings)
        self.standby = Targets(runtime, STANDBY, timings)
        self._network = network
        self._directory = directory
        self._front = front
        self._ways = directory / "ways.map"
        self._door = network.listener("public")
        self._endpoints = {name: network.listener("public") for name in endpoints}
        self._process: Popen[bytes] | None = None
        self._totals = Totals()
        self._asked_at = 0.0

    @property
    def pid(self) -> int | None:
        """HAProxy's process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Start HAProxy with no targets, and endpoints that lead nowhere."""
        self._process = self._spawn()
        try:
            await self._runtime.ask("show version")
        except BalancerError as error:
            await self.stop()
            raise BalancerError(f"HAProxy did not start, see {self._log}") from error
        self._asked_at = time.monotonic()

    async def stop(self) -> None:
        """End HAProxy and every connection through it."""
        if self._process is None:
            return
        self._process.kill()  # it has nothing to save
        await asyncio.to_thread(self._process.wait)
        self._process = None
        self._runtime.close()

    @property
    def door(self) -> str:
        """URL of the customers' door for whoever lives beside the load balancer, not outside."""
        host, port = self._network.route("public", self._door)
        return f"http://{host}:{port}"

    async def figures(self) -> Figures:
        """Return what passed since the last call, or since the start."""
        rows = await self._runtime.rows(ALB)
        await self._runtime.tell("clear counters")  # only maxima: the totals stay
        now = time.monotonic()
        answer = figures(self._totals, rows, now - self._asked_at)
        self._totals, self._asked_at = totals(rows), now
        return answer

    async def lead_customers(self, way: Way) -> None:
        """Lead every request from now on there, over whatever connection it comes."""
        await self._runtime.tell(f"set map {self._ways} {CUSTOMERS} {way}")

    def endpoint(self, name: str) -> Address:
        """Return where clients reach the endpoint."""
        return self._endpoints[name]

    async def point(self, name: str, host: str, port: int) -> None:
        """Lead new connections there; established ones stay where they are."""
        server = f"set server {name}/{ENDPOINT_SERVER}"
        await self._runtime.tell(f"{server} addr {host} port {port}", f"{server} state ready")

    async def unpoint(self, name: str) -> None:
        """Lead new connections nowhere: they are closed at once."""
        await self._runtime.tell(f"set server {name}/{ENDPOINT_SERVER} state maint")

    @property
    def _log(self) -> Path:
        return self._directory / "balancer.log"

    def _spawn(self) -> Popen[bytes]:
        with self._runtime.listen() as runtime:
            config = self._directory / "balancer.cfg"
            self._ways.write_text(f"{CUSTOMERS} home\n")
            fds = {"front_fd": self._front.fileno(), "runtime_fd": runtime.fileno()}
            config.write_text(
                configuration(
                    self._timings, door=self._door, endpoints=self._endpoints, ways=self._ways, **fds
                )
            )
            argv = [str(haproxy_bin()), "-db", "-f", str(config)]
            return self._network.spawn("public", argv, log=self._log, pass_fds=tuple(fds.values()))
