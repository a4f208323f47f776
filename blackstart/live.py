"""A running drill in the terminal: one line that lives, or plain lines when it is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from blackstart.pulse import Pulse


_REDRAW_EVERY_S = 0.5
_LINE_EVERY_S = 2.0


class LiveView:
    """Phase, elapsed time, arrival rate, success, p99 and the recovery clock."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._phase = "start"
        self._began = time.monotonic()
        self._drawn = 0.0
        self._recovered_s: float | None = None
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._console.print(Text(self._title, style="bold"))
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._live:
            self._live.stop()

    def phase(self, name: str) -> None:
        """A new phase begins."""
        self._phase = name
        self.say(f"phase: {name}")

    def say(self, text: str) -> None:
        """Tell people something that happened."""
        self._console.print(Text(f"{self._elapsed():7.1f} s  {text}"), soft_wrap=True)

    def show(self, pulse: Callable[[], Pulse], clock_s: float | None, *, recovered: bool) -> None:
        """Show the load's pulse and the recovery clock, not more often than a person can read."""
        every_s = _REDRAW_EVERY_S if self._live else _LINE_EVERY_S
        if time.monotonic() - self._drawn < every_s:
            return
        self._drawn = time.monotonic()
        if recovered and self._recovered_s is None:
            self._recovered_s = clock_s
        line = Text(self._line(pulse(), clock_s))
        if self._live:
            self._live.update(line, refresh=True)
        else:
            self._console.print(line, soft_wrap=True)

    def _line(self, pulse: Pulse, clock_s: float | None) -> str:
        clock = "" if clock_s is None else f"  since injection {clock_s:6.1f} s"
        held = " (held)" if self._recovered_s is not None else ""
        return (
            f"{self._elapsed():7.1f} s  {self._phase:<11}  {pulse.rate:6.0f} req/s  "
            f"{pulse.success:7.2%} ok  p99 {pulse.p99_ms:7.1f} ms{clock}{held}"
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._began
