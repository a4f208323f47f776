"""A runbook: what people do to recover when the system does not, as steps that a machine can take too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackstart.fault import Plan
    from blackstart.history import EventLog
    from blackstart.ledger import Entry, Ledger
    from blackstart.staging import Staging


class RunbookFailed(Exception):
    """The procedure cannot go on; the message says why, and what is left to people."""


class GoBack(Exception):
    """A step found what earlier steps made to be no good: go back to the step named `to`."""

    def __init__(self, to: str, why: str) -> None:
        super().__init__(why)
        self.to = to


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a long step is. `percent` is None when nobody knows."""

    percent: float | None
    detail: str
    eta_s: float | None = None  # what the system itself expects; else it is reckoned from the percentage


class State:
    """What a run of a runbook has found out and made so far, all of it in its ledger entry.

    Whatever is noted is on the disk before it is relied upon, so that another process can go on or clean up.
    """

    def __init__(self, entry: Entry, ledger: Ledger, events: EventLog) -> None:
        self._entry = entry
        self._ledger = ledger
        self._events = events
        self._notes = dict(entry.notes)
        self._remarks: list[str] = []
        self.progress: Progress | None = None  # of the step that is being taken, as it was last known

    @property
    def id(self) -> str:
        """The ledger entry's id; part of the names of what the runbook makes."""
        return self._entry.id

    @property
    def plan(self) -> Plan:
        """What was looked up before the first change."""
        return self._entry.plan

    @property
    def began_at(self) -> datetime:
        """When the runbook was first begun."""
        return datetime.fromisoformat(self._entry.plan.prepared_at)

    @property
    def last_healed_at(self) -> datetime | None:
        """When the last fault or runbook before this one was closed: what it lost cannot be found."""
        return self._ledger.last_healed_at()

    def __getitem__(self, name: str) -> Any:
        """Return what was noted under this name. Raises RunbookFailed when nothing was."""
        if name not in self._notes:
            raise RunbookFailed(f"{name!r} is not known yet: an earlier step has not been done")
        return self._notes[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was noted under this name."""
        return self._notes.get(name, default)

    def note(self, **notes: Any) -> None:
        """Remember JSON values, on the disk."""
        self._ledger.note(self.id, notes)
        self._notes.update(notes)

    def created(self, *resources: str) -> None:
        """Write down resources that are about to be made or named so: from now on they may be changed."""
        for resource in resources:
            self._ledger.created(self.id, resource)

    def event(self, kind: str, **detail: Any) -> None:
        """Write an event into the history."""
        self._events.write(kind, **detail)

    def remark(self, text: str) -> None:
        """Say something about the step that is being taken; it becomes part of the record."""
        self._remarks.append(text)

    def take_remarks(self) -> str:
        """Return the remarks since the last call, as one text."""
        text = "; ".join(self._remarks)
        self._remarks.clear()
        return text


def _unknown(_: Staging, __: State) -> Progress | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: `done` looks and changes nothing, `do` begins it; whoever runs it waits for `done`.

    `done` may raise GoBack or RunbookFailed when it sees that the step can never be done.
    """

    name: str  # an order, as a sentence without its full stop
    why: str
    commands: str  # what a person types, indented as the source is
    seen: str  # how a person sees that it is done
    done: Callable[[Staging, State], bool]
    do: Callable[[Staging, State], None]
    within_s: float
    otherwise: str = ""  # what to do when it cannot be done
    progress: Callable[[Staging, State], Progress | None] = _unknown


class Runbook(Protocol):
    """A frozen dataclass whose fields are the arguments that an experiment or a person may give."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def prepare(self, staging: Staging) -> Plan:
        """Look, never touch: what is restored, from what, and the calls that it takes."""

    def steps(self) -> tuple[Step, ...]:
        """Return the steps in order. Asks nobody: a checklist must print with nothing running."""

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what was made and nobody uses yet, and give back names; idempotent, from any process."""
