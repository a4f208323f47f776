"""Where ECS tasks run: real processes of the bank in the app subnets."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import staging
from blackstart.waiting import TooLate, wait_until
from staging.local.aurora.state import READER_ENDPOINT, WRITER_ENDPOINT
from staging.local.cache import ENDPOINT as CACHE_ENDPOINT
from staging.local.control_plane.platform import (
    LEDGER,
    RECEIPTS,
    SECRET,
    SESSIONS,
    TASK_PORT,
    zone_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from subprocess import Popen

    from staging.local.balancer import Balancer
    from staging.local.control_plane.platform import Platform
    from staging.local.network import Address, Network
    from staging.local.task import Task

FULL_SHARE = 5  # the same as the rest of the double, see host.py
_ROOT = Path(staging.__file__).parents[1]


class BankGround:
    """Starts bank tasks of a platform, and tells each where its endpoints are as seen from its subnet.

    `endpoints` is what the names of that platform's endpoints begin with. `later` are defects of those tasks
    only that are started after the first so many.
    """

    def __init__(
        self,
        network: Network,
        balancer: Balancer,
        aws: Address,
        logs: Path,
        *,
        defects: tuple[str, ...],
        platform: Platform,
        later: tuple[tuple[str, ...], int] = ((), 0),
        endpoints: str = "",
        receipts: str = RECEIPTS,
    ) -> None:
        self._network = network
        self._balancer = balancer
        self._aws = aws
        self._logs = logs
        self._defects = defects
        self._later, self._sound = later
        self._launched = 0
        self._platform = platform
        self._endpoints = endpoints
        self._receipts = receipts

    def reserve(self, subnet: str) -> Address:
        """Reserve an address to listen at."""
        return self._network.listener(subnet)

    def seen_from_balancer(self, address: Address) -> tuple[str, int]:
        """Return how the load balancer reaches it."""
        return self._network.route("public", address)

    def release(self, address: Address) -> None:
        """Give the address back."""
        self._network.release(address)

    def launch(self, task: Task, address: Address) -> Popen[bytes]:
        """Start the task's process."""
        self._launched += 1
        return self._network.spawn(
            task.subnet,
            [sys.executable, "-m", "staging.local.bank"],
            env=self._environment(task, address),
            cwd=_ROOT,
            log=self._logs / f"task-{task.id}.log",
            # on AWS a task starts on a machine of its own, and takes no CPU from those that serve
            gentle=True,
        )

    def hasten(self, process: Popen[bytes]) -> None:
        """It has started: from now on it gets its full share of the CPU."""
        group = Path(f"/proc/{process.pid}/autogroup")
        # an ordinary user may write to one only every 100 ms; a kernel without groups has nothing to hasten
        with suppress(TooLate):
            wait_until(
                lambda: not group.exists() or _written(group), within_s=2, what="its share", every_s=0.05
            )

    def _environment(self, task: Task, address: Address) -> Mapping[str, str]:
        def endpoint(name: str) -> str:
            address = self._balancer.endpoint(f"{self._endpoints}{name}")
            return _joined(self._network.route(task.subnet, address))

        return {
            "LISTEN_HOST": address.host,
            "LISTEN_PORT": str(address.port),
            "TASK_ID": task.id,
            "AZ": zone_of(task.subnet),
            "LEDGER_WRITER": endpoint(WRITER_ENDPOINT),
            "LEDGER_READER": endpoint(READER_ENDPOINT),
            "LEDGER_DATABASE": LEDGER,
            "CACHE": endpoint(CACHE_ENDPOINT),
            "AWS_ENDPOINT_URL": f"http://{_joined(self._network.route(task.subnet, self._aws))}",
            "AWS_REGION": self._platform.region,
            "SESSION_TABLE": SESSIONS,
            "RECEIPT_BUCKET": self._receipts,
            "SECRET_ID": SECRET,
            "TARGET_GROUP": self._platform.target_group,
            "TARGET": f"{task.ip}:{TASK_PORT}",
            "DEFECTS": ",".join((*self._defects, *(self._later if self._launched > self._sound else ()))),
        }


def _written(group: Path) -> bool:
    try:
        group.write_text(str(FULL_SHARE))
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # it has ended
        return True
    return True


def _joined(where: tuple[str, int]) -> str:
    host, port = where
    return f"{host}:{port}"
