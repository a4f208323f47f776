"""One way to break staging, and everything needed to put it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class Target:
    """One resource that a fault touches, as it was resolved just now."""

    kind: str
    id: str
    arn: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The blast radius and the way back, captured before anything is touched.

    `before` and `broken` hold the absolute state (JSON values) of what the fault changes: as it was
    found, and as the fault will leave it. Healing compares with both before it restores.
    """

    targets: tuple[Target, ...]
    before: dict[str, Any]
    broken: dict[str, Any]
    calls: tuple[str, ...]  # the mutating AWS calls, inject and heal, as "service:Operation"
    heals: Sequence[str] | None = None  # those of `calls` that healing makes; None: any of them
    region: str = ""  # where the calls go, when it is not the staging's own
    elsewhere: str = ""  # another region where some of them go, beside that
    # of each group that must carry on without them: {"zones of bank": {"taken": [...], "of": [...]}}
    shares: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    destroys: bool = False  # whether only a backup brings it back
    loses_region: bool = False  # whether it takes a whole region, so that nothing there need carry on
    prepared_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def regions(self, own: str) -> tuple[str, ...]:
        """Return where its calls go, on a staging whose own region is this."""
        return (self.region or own, *([self.elsewhere] if self.elsewhere else []))


@dataclass(frozen=True, kw_only=True)
class Bite:
    """Independent proof that the fault took effect, or the lack of it."""

    confirmed: bool
    evidence: str


class Conflict(Exception):
    """Somebody else changed the target after the fault: neither as it was found nor as we broke it."""


class NotHealed(Exception):
    """More than one entry could not be healed; the message says what kept each of them."""


class NothingToBreak(Exception):
    """The fault found no target. Nothing was touched; an empty blast radius proves nothing."""


class OpenEntry(Protocol):
    """The ledger entry of a fault that is being injected or healed."""

    @property
    def id(self) -> str:
        """Whatever the fault creates carries this id as the tag `blackstart:entry`."""

    def created(self, resource: str) -> None:
        """Write down a resource that the fault has just made, before it is used."""


class Fault(Protocol):
    """A frozen dataclass whose fields are the arguments that an experiment may give."""

    def prepare(self, staging: Staging) -> Plan:
        """Look, never touch. Zero targets is an error (NothingToBreak)."""

    def inject(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Break it."""

    def bite(self, staging: Staging, plan: Plan) -> Bite:
        """Say what proves that it happened, waiting for it within the fault's own deadline."""

    def heal(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Restore the absolute earlier state, from any process, any number of times; read it back.

        Raises Conflict when somebody else changed a target.
        """


@runtime_checkable
class Secured(Protocol):
    """An optional power of a fault whose way back must be made first, and takes a while: a snapshot."""

    def secure(self, staging: Staging, plan: Plan, entry: OpenEntry) -> None:
        """Make the way back. Staging is not broken yet, and goes on serving."""
