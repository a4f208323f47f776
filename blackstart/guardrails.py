"""Guardrails: limits that are watched every second while a drill may break something, and that stop it.

Each is looked at in a thread of its own, so that one whose answer does not come keeps none from being seen.
One that cannot be read stops the drill too: no data is no all-clear.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blackstart.choke import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EVERY_S = 1.0
BLIND_AFTER_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """One limit. `look` returns why the drill must stop, None while all is well; blind, it raises."""

    name: str
    look: Callable[[], str | None]
    every_s: float = EVERY_S


class Guardrails:
    """All guardrails of one drill; `stop` is called once, by the first that says so, with its reason."""

    def __init__(
        self, rails: Sequence[Guardrail], stop: Callable[[str], None], *, blind_after_s: float = BLIND_AFTER_S
    ) -> None:
        self._rails = tuple(rails)
        self._stop = stop
        self._blind_after_s = blind_after_s
        self._seen: dict[str, float] = {}
        self._error: dict[str, str] = {}
        self._ended = threading.Event()
        self._turn = threading.Lock()

    def start(self) -> None:
        """Begin to watch."""
        now = time.monotonic()
        self._seen = {rail.name: now for rail in self._rails}
        for rail in self._rails:
            threading.Thread(target=self._watch, args=(rail,), daemon=True, name=rail.name).start()
        threading.Thread(target=self._watch_the_watchers, daemon=True, name="guardrails").start()

    def end(self) -> None:
        """Watch no more; waits for nobody, for an answer may take long. Idempotent."""
        with self._turn:
            self._ended.set()

    def _watch(self, rail: Guardrail) -> None:
        while not self._ended.is_set():
            try:
                reason = rail.look()
            except Exception as error:  # noqa: BLE001 - whatever keeps it from seeing, it is blind
                self._error[rail.name] = f"{type(error).__name__}: {error}"
            else:
                self._seen[rail.name] = time.monotonic()
                if reason:
                    self._say(reason)
            self._ended.wait(rail.every_s)

    def _watch_the_watchers(self) -> None:
        while not self._ended.wait(min(EVERY_S, self._blind_after_s)):
            for name, seen in self._seen.items():
                blind_s = time.monotonic() - seen
                if blind_s > self._blind_after_s:
                    why = self._error.get(name, "no answer")
                    self._say(f"{name} could not be read for {blind_s:.0f} s: {why}")

    def _say(self, reason: str) -> None:
        with self._turn:
            if not self._ended.is_set():
                self._ended.set()
                self._stop(reason)


def check(rails: Sequence[Guardrail]) -> None:
    """Refuse to start while a guardrail says stop, or cannot be read."""
    for rail in rails:
        try:
            reason = rail.look()
        except Exception as error:
            raise Refused(f"{rail.name} cannot be read: {type(error).__name__}: {error}") from error
        if reason:
            raise Refused(reason)
