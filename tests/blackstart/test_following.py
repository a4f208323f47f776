"""From when on service counts as back: after the bite, or after the runbook that people recover by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from blackstart.following import Following
from blackstart.history import EventLog
from blackstart.pulse import Recent
from blackstart.underway import Underway
from catalogue import DRILLS

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.parts import Drill

STEP = {"step": "Restore", "outcome": "done", "seconds": 2.0, "detail": ""}


@dataclass
class People:
    """What they were told."""

    told: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.told.append(text)

    def phase(self, name: str) -> None:
        self.told.append(f"phase {name}")


@dataclass
class Part:
    """As much of a drill as following it takes."""

    spec: DrillSpec
    folder: Path
    view: People = field(default_factory=People)


class Followed:
    def __init__(self, folder: Path, name: str) -> None:
        self.events = EventLog(folder / "history")
        self.part = Part(DRILLS[name], folder)
        self.one = Underway(events=self.events, recent=Recent(10, 1, 1))
        self.following = Following(cast("Drill", self.part), self.one)

    def wrote(self, kind: str, **detail: Any) -> int:
        at_ns = self.events.write(kind, **detail)
        self.following.look()
        return at_ns

    def bitten(self) -> int:
        self.wrote("inject.start", fault="f", targets=["cluster ledger"])
        return self.wrote("bite", confirmed=True, evidence="gone")


@pytest.fixture
def failover(tmp_path: Path) -> Followed:
    return Followed(tmp_path, "aurora-failover")


@pytest.fixture
def restore(tmp_path: Path) -> Followed:
    return Followed(tmp_path, "backup-restore")


def test_a_system_that_recovers_by_itself_counts_from_the_bite(failover: Followed) -> None:
    failover.following.look()

    assert failover.following.since_ns is None

    bitten_ns = failover.bitten()

    assert failover.one.injected_ns is not None
    assert failover.following.since_ns == bitten_ns
    assert failover.part.view.told == ["phase observe", "injected: cluster ledger", "it bit: gone"]


def test_what_a_runbook_recovers_counts_from_its_end(restore: Followed) -> None:
    restore.bitten()
    restore.wrote("runbook.start", runbook="runbooks.x:X", resumed=False)
    restore.wrote("runbook.step", **STEP)

    assert restore.following.since_ns is None

    ended_ns = restore.wrote("runbook.end", outcome="finished")
    restore.following.look()

    assert restore.following.since_ns == ended_ns
    assert not restore.following.gave_up
    assert restore.part.view.told.count("Restore: done in 2.0 s") == 1


def test_a_runbook_that_gives_up_leaves_nothing_to_wait_for(restore: Followed) -> None:
    restore.bitten()
    restore.wrote("runbook.end", outcome="failed: no recovery point is left")

    assert restore.following.gave_up
    assert restore.following.since_ns is None
