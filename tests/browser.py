"""A real browser for tests: Chromium without a window, spoken to through a pipe in its own protocol.

Nothing of it is needed beyond the browser itself. It may look nothing up and load nothing but files.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reports.evidence.pdf import QUIET, browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DESKTOP, PHONE = (1280, 900), (390, 844)
# the browser reads its orders from descriptor 3 and answers on 4
_LAUNCH = (
    "import os, sys; r, w = int(sys.argv[1]), int(sys.argv[2]); os.dup2(r, 3); os.dup2(w, 4);"
    "os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One tab. Every request that was not stopped by the page's own policy is kept."""

    def __init__(self, orders: int, answers: int) -> None:
        self._orders = orders
        self._answers = os.fdopen(answers, "rb")
        self._number = 0
        self._session = ""
        self._events: list[dict[str, Any]] = []
        self._urls: dict[str, str] = {}

    @property
    def requested(self) -> list[str]:
        """Where the page's requests went since it was opened."""
        return list(self._urls.values())

    def begin(self) -> None:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._ask(f"{domain}.enable")

    def open(
        self, page: Path, size: tuple[int, int] = DESKTOP, *, without_policy: bool = False, grey: bool = False
    ) -> None:
        """Load a file and wait until it is there; `without_policy` lets a test bring a script with it."""
        self._urls.clear()
        self._events.clear()
        width, height = size
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=size == PHONE,
        )  # fmt: skip
        self._ask("Emulation.setEmulatedVisionDeficiency", type="achromatopsia" if grey else "none")
        self._ask("Page.setBypassCSP", enabled=without_policy)
        self._ask("Page.navigate", url=page.resolve().as_uri())
        self._wait_for("Page.loadEventFired")

    def say(self, script: str) -> Any:
        """Return the value of an expression, or of what it promises."""
        told = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, condition: str, within_s: float = 15.0) -> bool:
        """Wait for a condition on the page; return whether it came."""
        deadline = f"performance.now() + {1000 * within_s}"
        look = f"function look() {{ ({condition}) ? done(true) : performance.now() > end ? done(false) : "
        look += "setTimeout(look, 50) }"
        return bool(self.say(f"new Promise(done => {{ const end = {deadline}; {look} look(); }})"))

    def shoot(self, path: Path, *, whole: bool = False) -> None:
        """Leave a picture of the first screen, or of the whole page."""
        told = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        order = {"id": self._number, "method": method, "params": params}
        if self._session:
            order["sessionId"] = self._session
        os.write(self._orders, json.dumps(order).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, told["error"]
                return dict(told["result"])

    def _wait_for(self, event: str) -> None:
        while not any(told["method"] == event for told in self._events):
            self._next()

    def _next(self) -> dict[str, Any]:
        """Return the next message; events are kept."""
        heard = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "the browser is gone"
            heard += byte
        told: dict[str, Any] = json.loads(heard)
        if "method" in told:
            self._events.append(told)
            self._note(told["method"], told["params"])
        return told

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self._urls[params["requestId"]] = params["request"]["url"]
        if method == "Network.loadingFailed" and params.get("blockedReason") == "csp":
            self._urls.pop(params["requestId"], None)


@contextmanager
def running() -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it."""
    program = browser()
    assert program is not None
    ours, theirs = _high(os.pipe()), _high(os.pipe())
    with tempfile.TemporaryDirectory(prefix="blackstart-browser-", ignore_cleanup_errors=True) as profile:
        options = [*QUIET, f"--user-data-dir={profile}", "--remote-debugging-pipe", "--hide-scrollbars"]
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(ours[0]), str(theirs[1]), program, *options, "about:blank"],
            pass_fds=(ours[0], theirs[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        tab = Browser(ours[1], theirs[0])
        try:
            tab.begin()
            yield tab
        finally:
            process.terminate()
            process.wait(timeout=20)
            os.close(ours[1])
            tab._answers.close()


def _high(pipe: tuple[int, int]) -> tuple[int, int]:
    """Move both ends above the numbers that the browser wants for itself."""
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipe]
    for end in pipe:
        os.close(end)
    return moved[0], moved[1]
