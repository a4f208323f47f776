"""What a drill is wired together from, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from blackstart.context import Context
    from blackstart.drills import DrillSpec
    from blackstart.exit_code import ExitCode
    from blackstart.guardrails import Guardrail
    from blackstart.holding import Hold
    from blackstart.pulse import Pulse
    from blackstart.staging import Safeguards, Staging
    from blackstart.underway import Underway
    from blackstart.verdict import Judgement, Verdict
    from blackstart.watch import Watch
    from blackstart.watched import Watchdog


class Load(Protocol):
    """The traffic of a drill, in a process of its own."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """End the arrivals, wait for what is under way; idempotent."""

    def failed_because(self) -> str | None:
        """Say why there is no load although there should be, None while all is well."""


class Tail(Protocol):
    """Follows the request files while they are written."""

    def poll(self) -> list[list[Any]]:
        """Return the rows that are new since the last call."""


class View(Protocol):
    """Shows a running drill to people."""

    def phase(self, name: str) -> None:
        """A new phase begins."""

    def show(self, pulse: Callable[[], Pulse], clock_s: float | None, *, recovered: bool) -> None:
        """Show the load's pulse and the recovery clock (None before the injection), when it is time to."""

    def say(self, text: str) -> None:
        """Tell people something that happened."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How much load, and how long it runs before anything is broken."""

    rate: float
    seed: int
    warm_up_s: float = 4.0
    baseline_s: float = 6.0


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What keeps a drill safe while it runs."""

    watchdog: Watchdog
    lock: int  # the staging's lock, as a file descriptor: whoever could break anything inherits it
    hold: Hold | None  # on the environment, where the account knows of one
    safeguards: Safeguards


@dataclass(frozen=True, kw_only=True)
class Left:
    """What costs money now: how much of it was looked at, and what of that was not there before."""

    looked_at: int
    regions: tuple[str, ...]
    found: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Drill:
    """Everything that one drill needs, wired together."""

    spec: DrillSpec
    root: Path  # where the experiment's path starts
    context: Context
    staging: Staging
    traffic: Traffic
    load: Load
    tail: Tail
    view: View
    watch: Watch
    safety: Safety
    unwhole: Callable[[], list[str]]  # what keeps staging from being whole; empty when it is
    left: Callable[[], Left]  # the first call looks what was there before
    snapshot: Callable[[], dict[str, Any]]  # what a drill may change and must put back; the first is kept
    differences: Callable[[], list[str]]  # between the first snapshot and what is now
    guardrails: Callable[[Underway], Iterable[Guardrail]]
    read_back: Callable[[], None]  # final reads into the history

    @property
    def folder(self) -> Path:
        """The drill's own folder."""
        if self.context.folder is None:
            raise ValueError("a drill has a folder")
        return Path(self.context.folder)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a drill ended."""

    verdict: Verdict
    exit_code: ExitCode
    judgements: tuple[Judgement, ...]
    reasons: tuple[str, ...] = ()  # why it is not PASSED, beside the judgements
