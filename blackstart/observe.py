"""The wait in an experiment's method: until service has held, or the limit has passed."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from blackstart import context
from blackstart.waiting import TooLate, wait_until

Condition = Callable[[], bool]
HELD, LIMIT, GO = "held", "limit", "go"


def until_service_held(hold_s: float = 3.0, limit_s: float = 120.0) -> bool:
    """Wait until service has held for `hold_s`, at most `limit_s`; tell which of the two it was.

    In a drill the conductor decides from the history of the load. Run by hand there is no load:
    then the bank's deep health check must answer well for `hold_s` without a break.
    """
    here = context.current()
    if here.folder is None:
        base_url = context.attached().facts.base_url
        return _waited(healthy_for(hold_s, base_url), limit_s)
    folder = Path(here.folder)
    wait_until(lambda: _decided(folder), within_s=limit_s + 3600, what="the conductor decides", every_s=0.05)
    return (folder / HELD).exists()


def _decided(folder: Path) -> bool:
    return (folder / HELD).exists() or (folder / LIMIT).exists()


def _waited(condition: Condition, limit_s: float) -> bool:
    try:
        return wait_until(condition, within_s=limit_s, what="service holds", every_s=0.2)
    except TooLate:
        return False


def healthy_for(hold_s: float, base_url: str) -> Condition:
    """Return the question whether the bank's deep health check has answered well for so long."""
    since: list[float] = []

    def held() -> bool:
        if not _ready(base_url):
            since.clear()
            return False
        since.append(time.monotonic())
        return since[-1] - since[0] >= hold_s

    return held


def _ready(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/health/ready", timeout=2) as answer:  # noqa: S310 - the staging's own address
            return bool(answer.status == http.client.OK)
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False
