"""The router between the subnets: one cable to each, and two rules that make a subnet dark.

It lives in a network namespace of its own, driven by a thread that never leaves it. Nothing else runs
there: a packet of the router's own would meet a rule as an error, while forwarded ones vanish silently.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from staging.local.network import SUBNETS
from staging.local.network.kernel import enter_new_network
from staging.local.network.spawner import Spawner

_PREFIX = 24
_SERVERS = 25  # the upper half of each subnet
_LOCAL_TABLE = 255
_HOST_SCOPE = 254


def address_of(subnet: str, host: int) -> str:
    """Return an address of the subnet; host 1 is the router, 2 the subnet itself, servers from 128."""
    return f"{SUBNETS[subnet]}.{host}"


class Router:
    """Forwards between the subnets that are light."""

    def __init__(self) -> None:
        self._thread = Spawner("router")
        self._dark: frozenset[str] = frozenset()
        self._ip: Any = self._thread.run(_enter)

    def connect(self, subnet: str, room: Spawner) -> None:
        """Lay a cable into the network namespace that the room's thread is in."""
        space = room.run(os.open, "/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            self._thread.run(self._plug_in, subnet, space)
        finally:
            os.close(space)
        room.run(_settle, subnet)

    def darken(self, subnets: frozenset[str]) -> None:
        """Make exactly these subnets dark."""
        self._thread.run(self._darken, subnets)

    def close(self) -> None:
        """Take it down."""
        self._thread.run(self._ip.close)
        self._thread.close()

    def _plug_in(self, subnet: str, space: int) -> None:
        here, there = f"to-{SUBNETS[subnet]}", _cable(subnet)
        self._ip.link("add", ifname=here, kind="veth", peer={"ifname": there, "net_ns_fd": space})
        _bring_up(self._ip, here, address_of(subnet, 1))

    def _darken(self, subnets: frozenset[str]) -> None:
        for subnet in subnets - self._dark:
            self._rules("add", subnet)
        for subnet in self._dark - subnets:
            self._rules("del", subnet)
        self._dark = subnets

    def _rules(self, verb: str, subnet: str) -> None:
        all_of_it = address_of(subnet, 0)
        for match in ({"src": all_of_it, "src_len": _PREFIX}, {"dst": all_of_it, "dst_len": _PREFIX}):
            self._ip.rule(verb, action="FR_ACT_BLACKHOLE", priority=100, table=0, **match)


def _enter() -> Any:
    enter_new_network()
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    return IPRoute()


def _settle(subnet: str) -> None:
    with IPRoute() as ip:
        (loopback,) = ip.link_lookup(ifname="lo")
        ip.link("set", index=loopback, state="up")
        _bring_up(ip, _cable(subnet), address_of(subnet, 2))
        ip.route("add", dst="default", gateway=address_of(subnet, 1))
        # every server may have an address of its own, as on AWS, without one call per server
        servers = f"{address_of(subnet, 128)}/{_SERVERS}"
        ip.route("add", dst=servers, type="local", table=_LOCAL_TABLE, scope=_HOST_SCOPE, oif=loopback)


def _bring_up(ip: Any, name: str, address: str) -> None:
    (index,) = ip.link_lookup(ifname=name)
    ip.addr("add", index=index, address=address, prefixlen=_PREFIX)
    ip.link("set", index=index, state="up")


def _cable(subnet: str) -> str:
    return f"in-{SUBNETS[subnet]}"
