"""A drill that is under way: what is known of it, and how it lets time pass without looking away."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from blackstart.history import EventLog
    from blackstart.parts import Drill
    from blackstart.pulse import Recent

TICK_S = 0.1
Answer = TypeVar("Answer")


class Stopped(Exception):
    """Somebody or something stopped the drill: heal now."""


class NotProven(Exception):
    """The drill cannot go on in a way that would prove anything: heal now, UNKNOWN."""


@dataclass
class Underway:
    """What is known of the drill that is running."""

    events: EventLog
    recent: Recent
    stop_reason: str | None = None
    stopped: bool = False
    healing: bool = False  # from here on there is nothing left to stop
    bad: int = 0  # requests that did not end well
    heard_s: float | None = None  # on the monotonic clock, when a request was last recorded
    injected_ns: int | None = None
    held: bool = False
    read: bool = False  # the final reads have been made, and the load has ended for them
    reasons: list[str] = field(default_factory=list)

    def stop(self, reason: str) -> None:
        """Wish to stop, from any thread; a second reason changes nothing."""
        self.stop_reason = self.stop_reason or reason

    def hear(self, rows: list[list[Any]]) -> None:
        """Take newly recorded requests."""
        if rows:
            self.heard_s = time.monotonic()
            self.bad += sum(row[4] != "ok" for row in rows)
        self.recent.add(rows)


def phase(drill: Drill, one: Underway, name: str) -> None:
    """Begin a phase: for the history, and for people."""
    one.events.write("phase", name=name)
    drill.view.phase(name)


def tick(drill: Drill, one: Underway, child: subprocess.Popen[bytes]) -> bool:
    """Let a moment pass, look after everything; tell whether the child still runs."""
    try:
        child.wait(TICK_S)
    except subprocess.TimeoutExpired:
        look_around(drill, one)
        return True
    look_around(drill, one)
    return False


def look_around(drill: Drill, one: Underway) -> None:
    """Follow the load and show it. Raises Stopped or NotProven when the drill must not go on."""
    drill.safety.watchdog.promise()
    one.hear(drill.tail.poll())
    clock_s = None if one.injected_ns is None else (time.monotonic_ns() - one.injected_ns) / 1e9
    drill.view.show(one.recent.pulse, clock_s, recovered=one.held)
    if one.healing:
        return
    if one.stop_reason:
        raise Stopped(one.stop_reason)
    trouble = drill.load.failed_because()
    if trouble:
        raise NotProven(f"no load: {trouble}")


def wait_for(
    drill: Drill,
    one: Underway,
    condition: Callable[[], bool],
    *,
    within_s: float,
    what: str,
    every_s: float = TICK_S,
) -> None:
    """Wait for a condition, looking around. Raises NotProven when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise NotProven(f"not within {within_s:g} s: {what}")
        pass_time(drill, one, every_s)


def ask(drill: Drill, one: Underway, question: Callable[[], Answer]) -> Answer:
    """Put a question whose answer may take long to staging, looking around meanwhile.

    Raises what it raises. When the drill is stopped nobody waits for the answer any more.
    """
    answers: list[Answer] = []
    errors: list[Exception] = []

    def put() -> None:
        try:
            answers.append(question())
        except Exception as error:  # noqa: BLE001 - raised again where it was asked
            errors.append(error)

    thread = threading.Thread(target=put, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(TICK_S)
        look_around(drill, one)
    if errors:
        raise errors[0]
    return answers[0]


def pass_time(drill: Drill, one: Underway, seconds: float) -> None:
    """Let time pass, looking around."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(min(TICK_S, max(deadline - time.monotonic(), 0)))
        look_around(drill, one)


@contextmanager
def stop_on_signals(one: Underway) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a wish to stop, looked at every tick; a second one changes nothing."""

    def wish(number: int, _: FrameType | None) -> None:
        one.stop(signal.Signals(number).name)

    earlier = {number: signal.signal(number, wish) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
