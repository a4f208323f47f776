"""Stock Locust as its own documentation shows it: a closed model, in which users wait for answers."""

from __future__ import annotations

import os
import time
from typing import Any

import orjson
from locust import FastHttpUser, constant_throughput, events, task

_looks = os.open(os.environ["CALIBRATION_LOOKS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


class Stock(FastHttpUser):  # type: ignore[misc]  # Locust has no types
    """One customer who wants to send two requests per second."""

    wait_time = constant_throughput(2)

    @task  # type: ignore[untyped-decorator]  # Locust has no types
    def balance(self) -> None:
        """Read a balance."""
        self.client.get("/other/stock")


def look(response_time: float, exception: BaseException | None, **_: Any) -> None:
    """Write down what Locust's statistics are told of a request."""
    end_ns = time.monotonic_ns()
    line = [end_ns - int(response_time * 1e6), end_ns, exception is None]
    os.write(_looks, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


events.request.add_listener(look)
