"""What others would have said of the same outage: a poller that asks once a second, and stock Locust.

The poller is what most dashboards are. Stock Locust is its own FastHttpUser with its own defaults: ten users,
each of whom wants to send two requests per second and waits for each answer before the next.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import orjson

from calibration.kinds import GOOD_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Sequence

POLL_EVERY_S: Final = 1.0
STOCK_USERS: Final = 10
_LOOKS: Final = "stock.jsonl"
_LOCUSTFILE: Final = Path(__file__).with_name("stock_locustfile.py")


@dataclass(frozen=True, kw_only=True)
class Look:
    """One request of an onlooker."""

    start_ns: int
    end_ns: int
    ok: bool

    @property
    def good(self) -> bool:
        """Tell whether it was answered well, and within the time that customers are promised."""
        return self.ok and (self.end_ns - self.start_ns) / 1e9 <= GOOD_WITHIN_S


def said_s(looks: Sequence[Look], from_ns: int, until_ns: int) -> float:
    """Return how long the outage was by these looks: from the first bad one to the next good one after all.

    0 when none was bad. When none was good again, until the end of what was looked at.
    """
    seen = sorted(
        (look for look in looks if from_ns <= look.start_ns < until_ns), key=lambda look: look.start_ns
    )
    bad = [n for n, look in enumerate(seen) if not look.good]
    if not bad:
        return 0.0
    after = seen[bad[-1] + 1 :]
    return ((after[0].start_ns if after else until_ns) - seen[bad[0]].start_ns) / 1e9


def availability(looks: Sequence[Look]) -> float | None:
    """Return the share of requests answered well, in percent of those sent, as Locust does."""
    return 100 * sum(look.ok for look in looks) / len(looks) if looks else None


class Poller:
    """Asks once a second, as long as the `with` block lasts."""

    def __init__(self, port: int) -> None:
        self.looks: list[Look] = []
        self._port = port
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _poll(self) -> None:
        while not self._ends.is_set():
            start_ns = time.monotonic_ns()
            ok = self._ask()
            self.looks.append(Look(start_ns=start_ns, end_ns=time.monotonic_ns(), ok=ok))
            self._ends.wait(max(0.0, POLL_EVERY_S - (time.monotonic_ns() - start_ns) / 1e9))

    def _ask(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=POLL_EVERY_S)
        try:
            connection.request("GET", "/other/poll")
            return connection.getresponse().status < 400  # noqa: PLR2004 - not an error
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


class StockLocust:
    """Runs stock Locust in a process of its own, as long as the `with` block lasts."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder, self._log = url, folder, folder / "stock.log"

    def __enter__(self) -> Self:
        users = str(STOCK_USERS)
        command = [
            sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless", "--only-summary",
            "--host", self._url, "--users", users, "--spawn-rate", users,
        ]  # fmt: skip
        env = {**os.environ, "CALIBRATION_LOOKS": str(self._folder / _LOOKS)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()  # it would wait for those of its users who wait for an answer
        self._process.wait()

    @property
    def looks(self) -> list[Look]:
        """Return what it has seen so far."""
        return looks_in(self._folder)


def looks_in(folder: Path) -> list[Look]:
    """Return what stock Locust saw; a request that is still waiting is not among it, as is its way."""
    file = folder / _LOOKS
    whole = file.read_bytes().rpartition(b"\n")[0].splitlines() if file.exists() else []
    rows = [orjson.loads(line) for line in whole]
    return [Look(start_ns=start_ns, end_ns=end_ns, ok=ok) for start_ns, end_ns, ok in rows]
