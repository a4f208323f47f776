"""Plans on disk, written before injecting, so that any later process can heal.

One chained file per staging (see `blackstart.chain`), so that a line changed or cut out in the middle is
noticed. A torn last line was never relied upon: the call it announces is made only after its fsync.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from blackstart import chain
from blackstart.choke import Refused
from blackstart.fault import Plan, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from blackstart.staging import Facts


log = logging.getLogger(__name__)


class LedgerBroken(Exception):
    """The ledger's chain does not hold: somebody edited it. No drill may start on top of it."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One fault, from before its injection until it is healed."""

    id: str
    drill: str
    fault: str  # "faults.aurora_failover:AuroraFailover"
    arguments: dict[str, Any]
    plan: Plan
    generation: str  # of the staging that was broken, see staging.Facts
    environment: str  # of it, too: nobody else's can be healed by this entry
    state: str  # "open", "healed"
    injected: bool = False  # every call of the injection was answered: none of them can be under way any more
    created: tuple[str, ...] = ()  # resources that the fault itself made, to be removed by healing
    notes: dict[str, Any] = field(default_factory=dict)  # what a runbook has found out, to go on from

    def names(self, identifier: str) -> bool:
        """Tell whether this entry names the resource: as a target, as made by it, or on the way back."""
        ids = {name for target in self.plan.targets for name in (target.id, target.arn) if name}
        return identifier in ids or identifier in self.created or identifier in self.plan.before.values()


@dataclass(frozen=True)
class Handle:
    """An open entry in the hands of its fault."""

    id: str
    ledger: Ledger

    def created(self, resource: str) -> None:
        """Write down a resource that the fault has just made, before it is used."""
        self.ledger.created(self.id, resource)


class Copy(Protocol):
    """Where else the entries are kept, in their latest state."""

    def put(self, entry: Entry) -> None:
        """Write an entry down as it is now. Raises Refused when it cannot be relied upon."""

    def confirm(self, entry: Entry) -> None:
        """Raise Refused unless the entry is still open there, and we are still those who may act on it."""


class Ledger:
    """The ledger of one staging; what `copy` returns holds its entries too, for another machine to heal."""

    def __init__(self, path: Path, copy: Callable[[], Copy] | None = None) -> None:
        self.path = path
        self._copy = copy

    def open(
        self, drill: str, fault: str, arguments: dict[str, Any], plan: Plan, facts: Facts | None = None
    ) -> Entry:
        """Write an entry down and return it once it is on the disk, and in the copy.

        Without the facts of a staging it belongs to none, and no choke point of one lets a call pass for it.
        Raises Refused when there is no copy of it, although there should be: then nothing may be touched.
        """
        entry = Entry(
            id=uuid.uuid4().hex[:12],
            drill=drill,
            fault=fault,
            arguments=arguments,
            plan=plan,
            generation=facts.generation if facts else "",
            environment=facts.environment if facts else "",
            state="open",
        )
        self._append({"do": "open", **asdict(entry)})
        if self._copy is not None:
            self._copy().put(entry)
        return entry

    def confirm(self, entry: Entry) -> None:
        """Raise Refused when another machine has healed the entry meanwhile, or may: break nothing."""
        if self._copy is not None:
            self._copy().confirm(entry)

    def take(self, entry: Entry) -> None:
        """Write down an entry that another machine has opened, as it is now."""
        self._append({"do": "open", **asdict(entry)})

    def created(self, entry_id: str, resource: str) -> None:
        """Add a resource that the fault has just made, once: from now on it may be changed and removed."""
        if not any(resource in entry.created for entry in self.entries() if entry.id == entry_id):
            self._change({"do": "created", "id": entry_id, "resource": resource})

    def injected(self, entry_id: str) -> None:
        """Write down that the injection is over, and that AWS has answered each of its calls."""
        self._change({"do": "injected", "id": entry_id})

    def note(self, entry_id: str, notes: dict[str, Any]) -> None:
        """Add what a runbook has found out, JSON values by name; a later one replaces an earlier one."""
        self._change({"do": "note", "id": entry_id, "notes": notes})

    def healed(self, entry_id: str, how: str) -> None:
        """Close an entry: its targets were read back and are as they were found."""
        self._change({"do": "healed", "id": entry_id, "how": how})

    def forget(self, generation: str | None) -> int:
        """Close what was broken on local stagings that have ended; `generation` is the one that runs.

        Their processes are gone, so nothing of them can be broken any more. Returns how many were closed.
        """
        ended = [e for e in self.open_entries() if e.generation and e.generation != generation]
        for entry in ended:
            self.close(entry.id, "the local staging has ended")
        return len(ended)

    def close(self, entry_id: str, how: str) -> None:
        """Close an entry here alone: the copy is gone, or knows already."""
        self._append({"do": "healed", "id": entry_id, "how": how})

    def open_entries(self) -> tuple[Entry, ...]:
        """Return what is still to be healed, latest first: healing undoes in reverse order."""
        return tuple(entry for entry in reversed(self.entries()) if entry.state == "open")

    def open_entries_of(self, drill: str) -> tuple[Entry, ...]:
        """Return what this drill has left to be healed, latest first."""
        return tuple(entry for entry in self.open_entries() if entry.drill == drill)

    def check_environment(self, environment: str) -> None:
        """Refuse to work on an environment while something is open that was broken in another one.

        Two staging files of the same name share a ledger.
        """
        for entry in self.open_entries():
            if entry.environment != environment:
                broken = f"{entry.fault.rpartition(':')[2]} ({entry.drill}) was broken in {entry.environment}"
                raise Refused(f"{broken}, this staging is {environment}: heal it with its own staging file")

    def last_healed_at(self) -> datetime | None:
        """Return when an entry was last closed, None when none ever was."""
        closed = [line["utc"] for line in self._lines() if line["do"] == "healed"]
        return datetime.fromisoformat(closed[-1]) if closed else None

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry in the order of opening, in its latest state. Raises LedgerBroken."""
        entries: dict[str, Entry] = {}
        for line in self._lines():
            entries[line["id"]] = _apply(entries.get(line["id"]), line)
        return tuple(entries.values())

    def _change(self, line: dict[str, Any]) -> None:
        self._append(line)
        if self._copy is not None:
            try:
                self._copy().put(next(entry for entry in self.entries() if entry.id == line["id"]))
            except Refused as error:  # the copy says that it is open: no healing must fail because of that
                log.warning("the ledger's copy is behind: %s", error)

    def _append(self, line: dict[str, Any]) -> None:
        file = chain.open_for_append(self.path)
        try:
            deque(self._lines(), maxlen=0)  # nothing is added to a chain that does not hold
            is_new = not os.fstat(file).st_size
            chain.append(file, {**line, "utc": datetime.now(UTC).isoformat()})
            os.fsync(file)
            if is_new:
                _sync_folder(self.path.parent)
        finally:
            os.close(file)

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            yield from chain.read(self.path)
        except chain.ChainBroken as error:
            raise LedgerBroken(f"{self.path.parent}: {error}") from error


def _sync_folder(folder: Path) -> None:
    """Bring the name of a new file to the disk too: it would not survive a power cut by itself."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _apply(entry: Entry | None, line: dict[str, Any]) -> Entry:
    if line["do"] == "open":
        return entry_of(line)
    if entry is None:
        raise LedgerBroken(f"entry {line['id']} is changed before it was opened")
    if line["do"] == "created":
        return _with(entry, created=(*entry.created, line["resource"]))
    if line["do"] == "injected":
        return _with(entry, injected=True)
    if line["do"] == "note":
        return _with(entry, notes={**entry.notes, **line["notes"]})
    return _with(entry, state="healed")


def entry_of(line: dict[str, Any]) -> Entry:
    """Return an entry from what `asdict` made of it, read as JSON; it is open."""
    plan = line["plan"]
    targets = tuple(Target(**target) for target in plan["targets"])
    return Entry(
        id=line["id"],
        drill=line["drill"],
        fault=line["fault"],
        arguments=line["arguments"],
        plan=Plan(**{**plan, "targets": targets, "calls": tuple(plan["calls"])}),
        generation=line["generation"],
        environment=line["environment"],
        state="open",
        injected=line.get("injected", False),
        created=tuple(line.get("created", ())),
        notes=dict(line.get("notes", {})),
    )


def _with(entry: Entry, **changes: Any) -> Entry:
    return Entry(**{**{name: getattr(entry, name) for name in entry.__dataclass_fields__}, **changes})
