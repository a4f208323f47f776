"""HAProxy's configuration for the load balancer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from staging.local.network import Address

ALB, STANDBY = "alb", "standby"
CUSTOMERS = "customers"  # their line in the map of ways
Way = Literal["home", "standby", "dark"]
ENDPOINT_SERVER = "server"
TARGETS_AT_MOST = 32
_NOT_ANSWERED = 425  # a status that nothing else here has


@dataclass(frozen=True, kw_only=True)
class BalancerTimings:
    """What an ALB's target group and listener let one set, and what they fix."""

    check_interval_s: float = 0.2
    check_timeout_s: float = 0.2
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2
    connect_timeout_s: float = 1.0
    answer_timeout_s: float = 5.0
    idle_timeout_s: float = 60.0
    hangs_s: float = 5.0  # where nobody answers; longer than any customer waits
    waits_for_health: bool = True  # the planted defect sends requests to what has yet to start


def slot_name(slot: int) -> str:
    """Return the name that HAProxy gives to the target in that slot."""
    return f"target{slot}"


def configuration(
    timings: BalancerTimings, *, front_fd: int, runtime_fd: int, door: Address,
    endpoints: Mapping[str, Address], ways: Path,
) -> str:  # fmt: skip
    """Return the whole configuration; every server starts out unused."""
    parts = [_common(timings, runtime_fd), _alb(timings, front_fd, door, ways), _standby(timings)]
    parts += [_endpoint(name, address) for name, address in endpoints.items()]
    return "\n".join(parts)


def _common(timings: BalancerTimings, runtime_fd: int) -> str:
    return f"""\
global
    nbthread 1
    fd-hard-limit 16000
    stats socket fd@{runtime_fd} level admin

defaults
    # a request may have been carried out though its answer is lost: the client decides, as with an ALB
    retries 0
    timeout connect {_ms(timings.connect_timeout_s)}
"""


def _alb(timings: BalancerTimings, front_fd: int, door: Address, ways: Path) -> str:
    return f"""\
listen {ALB}
    bind fd@{front_fd}
    bind {door.host}:{door.port}
    timeout client {_ms(timings.idle_timeout_s)}
    # where nobody answers, a request hangs until the customer has given it up; HAProxy does not notice that,
    # and would keep its connection for as long, until there are none left
    timeout tarpit {_ms(timings.hangs_s)}
    errorfile {_NOT_ANSWERED} /dev/null
    http-request set-var(txn.way) str({CUSTOMERS}),map({ways})
    http-request tarpit deny_status {_NOT_ANSWERED} if {{ var(txn.way) -m str dark }}
    use_backend {STANDBY} if {{ var(txn.way) -m str {STANDBY} }}
{_servers(timings)}"""


def _standby(timings: BalancerTimings) -> str:
    return f"""\
backend {STANDBY}
{_servers(timings)}"""


def _servers(timings: BalancerTimings) -> str:
    return f"""\
    mode http
    timeout server {_ms(timings.answer_timeout_s)}
    timeout check {_ms(timings.check_timeout_s)}
    balance roundrobin
    option forwardfor
    option httpchk
    http-check send meth GET uri /health/live ver HTTP/1.1 hdr Host balancer hdr Connection close
    http-check expect status 200
    default-server check inter {_ms(timings.check_interval_s)}
    default-server rise {timings.healthy_threshold} fall {timings.unhealthy_threshold}
    # requests that hang in a dead target end when it is found dead, not when they time out
    default-server on-marked-down shutdown-sessions
    server-template target 1-{TARGETS_AT_MOST} 127.0.0.1:1 disabled
"""


def _endpoint(name: str, address: Address) -> str:
    return f"""\
listen {name}
    mode tcp
    bind {address.host}:{address.port}
    timeout client 24h
    timeout server 24h
    server {ENDPOINT_SERVER} 127.0.0.1:1 disabled
"""


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
