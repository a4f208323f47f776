"""Subnets go dark when their network ACL denies everything, before the call that did it returns.

The local network knows light and dark only, so of an ACL's rules those count that match all traffic
within the VPC: the one with the lowest number decides, in each direction, and no rule at all denies.
"""

from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING, Any

from staging.local.control_plane.moto_state import backend
from staging.local.network import SUBNETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.platform import Platform
    from staging.local.control_plane.protocol import Call
    from staging.local.network import Network

# the public subnet of the local network holds the harness's own way in; it stays light
_ROOMS = frozenset(SUBNETS) - {"public"}
_PUBLIC = frozenset({"public-a", "public-b"})
_VPC = ipaddress.ip_network("10.20.0.0/16")
_CHANGES = (
    "ReplaceNetworkAclAssociation", "CreateNetworkAclEntry",
    "ReplaceNetworkAclEntry", "DeleteNetworkAclEntry",
)  # fmt: skip


class Darkness:
    """Makes the network of the first region follow its ACLs; `dark` names the subnets that are dark now."""

    def __init__(self, network: Network, platform: Platform) -> None:
        self._network = network
        self._names = {subnet: name for name, subnet in platform.subnets.items()}
        self._turn = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.dark: frozenset[str] = frozenset()
        self.closed = False  # no customer gets in: the load balancer's own subnets are dark

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener`, from whichever thread it happens in, after subnets went dark or light."""
        self._listeners.append(listener)

    def register(self, front: Front) -> None:
        """Look again after every call that may have changed an ACL or who has it."""
        front.after("ec2", *_CHANGES)(self._after)

    def reconcile(self) -> None:
        """Darken what the ACLs say now. One at a time, so that the newest state wins."""
        with self._turn:
            denied = frozenset(self._denied())
            dark, closed = denied & _ROOMS, denied >= _PUBLIC
            if (dark, closed) == (self.dark, self.closed):
                return
            self._network.darken(dark)
            self.dark, self.closed = dark, closed
        for listener in self._listeners:
            listener()

    def _after(self, _: Call) -> None:
        self.reconcile()

    def _denied(self) -> Iterable[str]:
        for acl in list(backend("ec2").network_acls.values()):
            if not denies_all(acl.network_acl_entries):
                continue
            for association in acl.associations:
                if association.subnet_id in self._names:
                    yield self._names[association.subnet_id]


def denies_all(entries: Iterable[Any]) -> bool:
    """Tell whether nothing gets in, or nothing out; then nobody gets an answer either way."""
    return not (_allows(entries, egress=False) and _allows(entries, egress=True))


def _allows(entries: Iterable[Any], *, egress: bool) -> bool:
    rules = [entry for entry in entries if entry.egress == egress and _matches_everything(entry)]
    first = min(rules, key=lambda entry: int(entry.rule_number), default=None)
    return first is not None and first.rule_action == "allow"


def _matches_everything(entry: Any) -> bool:
    if str(entry.protocol) != "-1" or not entry.cidr_block:
        return False
    return _VPC.subnet_of(ipaddress.ip_network(entry.cidr_block, strict=False))  # type: ignore[arg-type]
