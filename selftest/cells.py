"""What one run of the self-test is, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

# Of these the record need not tell of a fault: the baseline does not hold, or what told of it was cut off
WITHOUT_FAULT = frozenset({"half-the-load", "events-truncated"})
RATE = 300.0  # requests per second; the hold lasts 10 s then, and two cores have time to spare


class Outcome(StrEnum):
    """What came of one run."""

    CAUGHT = (
        "caught"  # as it must be: FAILED on the right objective, UNKNOWN when sabotaged, PASSED when healthy
    )
    ELSEWHERE = "caught elsewhere"  # FAILED, but the objective that it concerns did not see it
    MISSED = "missed"  # PASSED with a defect, or anything but UNKNOWN with a broken harness
    UNPROVEN = "unproven"  # UNKNOWN where a verdict was due
    FALSE_ALARM = "false alarm"  # FAILED on a healthy platform
    NOT_RUN = "not run"  # it left no record


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One drill, and what is wrong with it."""

    what: str
    drill: str
    rate: float = RATE
    isolation: str | None = None  # None: the most faithful that the machine allows

    @property
    def name(self) -> str:
        """Return what it is called in tables and files; another load or network makes another run of it."""
        return f"{self.what}--{self.drill}{self._conditions}"

    @property
    def _conditions(self) -> str:
        rate = f"--{self.rate:g}-per-s" if self.rate != RATE else ""
        return f"{rate}--{self.isolation}" if self.isolation else rate

    @property
    def options(self) -> list[str]:
        """Return the drill's own options on the command line."""
        return []

    def but(self, **changes: Any) -> Self:
        """Return the same with other fields."""
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class Defect(_Cell):
    """Planted defects (`what` are switches of the local staging, with a + in between), and what must fail."""

    objective: str  # by its name

    @property
    def defects(self) -> list[str]:
        """Return them one by one; two are planted together where the platform survives each alone."""
        return self.what.split("+")

    @property
    def options(self) -> list[str]:
        """Return the drill's own options on the command line."""
        return [word for defect in self.defects for word in ("--defect", defect)]

    @property
    def must(self) -> str:
        """Say what must come of it."""
        return f"FAILED: {self.objective}"

    def judge(self, record: dict[str, Any]) -> Outcome:
        """Say what came of it, by the drill's record."""
        missed = {one["name"] for one in record["objectives"] if one["verdict"] == "FAILED"}
        if record["verdict"] == "FAILED" and self.objective in missed:
            return Outcome.CAUGHT
        return {"FAILED": Outcome.ELSEWHERE, "UNKNOWN": Outcome.UNPROVEN}.get(
            record["verdict"], Outcome.MISSED
        )


@dataclass(frozen=True, kw_only=True)
class Sabotage(_Cell):
    """A way to break the harness itself (`what` is one of `selftest.saboteur`): it must prove nothing."""

    @property
    def must(self) -> str:
        """Say what must come of it."""
        return "UNKNOWN"

    def judge(self, record: dict[str, Any]) -> Outcome:
        """Say what came of it, by the drill's record."""
        return Outcome.CAUGHT if record["verdict"] == "UNKNOWN" else Outcome.MISSED

    def doubt(self, record: dict[str, Any], *, acted: bool) -> str:
        """Say why an UNKNOWN may have had another cause than the sabotage; empty when it had not."""
        if not acted:
            return "the saboteur never came to act: this UNKNOWN has another cause"
        if self.what not in WITHOUT_FAULT and record["fault"] is None:
            return "no fault was injected: this UNKNOWN has another cause"
        return ""


@dataclass(frozen=True, kw_only=True)
class Healthy(_Cell):
    """A drill on a healthy platform, which must pass; the `number`-th of its kind."""

    number: int

    @property
    def name(self) -> str:
        """Return what it is called in tables and files."""
        return f"{self.what}-{self.number}--{self.drill}{self._conditions}"

    @property
    def must(self) -> str:
        """Say what must come of it."""
        return "PASSED"

    def judge(self, record: dict[str, Any]) -> Outcome:
        """Say what came of it, by the drill's record."""
        return {"PASSED": Outcome.CAUGHT, "FAILED": Outcome.FALSE_ALARM}.get(
            record["verdict"], Outcome.UNPROVEN
        )


Cell = Defect | Sabotage | Healthy
