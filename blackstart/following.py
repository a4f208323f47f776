"""Follows what the experiment's process writes down, and knows from when on service has come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blackstart.history import History
from blackstart.restore_words import WORDS
from blackstart.underway import phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from blackstart.history import Event
    from blackstart.parts import Drill
    from blackstart.underway import Underway


class Following:
    """The injection, its bite, and the runbook that people recover with, if there is one."""

    def __init__(self, drill: Drill, one: Underway) -> None:
        self._drill = drill
        self._one = one
        self._told = 0
        self._size = -1
        self._bitten_ns: int | None = None
        self._recovered_ns: int | None = None
        self.gave_up = False  # the runbook came to no good end: nothing will recover by itself

    def look(self) -> None:
        """Take note of what is new."""
        folder = self._drill.folder / "history"
        events = folder / "events.jsonl"
        size = events.stat().st_size if events.exists() else 0
        if size == self._size:
            return
        self._size = size
        # each of these kinds is written as it happens, so the order of those that were told does not change
        ours = [event for event in History(folder).events if event.kind in _WORDS]
        for event in ours[self._told :]:
            self._note(event)
        self._told = len(ours)

    @property
    def since_ns(self) -> int | None:
        """From when on service that holds has come back: the bite, or the end of the runbook; None before."""
        if self._bitten_ns is None or not self._drill.spec.restores:
            return self._bitten_ns
        return self._recovered_ns

    def _note(self, event: Event) -> None:
        if event.kind == "inject.start" and self._one.injected_ns is None:
            self._one.injected_ns = event.at_ns
            phase(self._drill, self._one, "observe")
        if event.kind == "bite":
            self._bitten_ns = event.at_ns
        if event.kind == "runbook.end":
            self.gave_up = event.detail["outcome"] != "finished"
            self._recovered_ns = None if self.gave_up else event.at_ns
        self._drill.view.say(_WORDS[event.kind](event.detail))


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "inject.start": lambda d: f"injected: {', '.join(d['targets'])}",
    "bite": lambda d: f"{'it bit' if d['confirmed'] else 'NO BITE'}: {d['evidence']}",
    **WORDS,
}
