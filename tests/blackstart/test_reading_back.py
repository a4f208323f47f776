"""What people restored elsewhere is read back before healing leads customers home; all else after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from blackstart import conductor, observe
from blackstart.history import EventLog, History
from blackstart.underway import Underway
from catalogue import DRILLS

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.drills import DrillSpec
    from blackstart.parts import Drill


@dataclass
class Part:
    """As much of a drill as it takes, and in which order its parts were called."""

    spec: DrillSpec
    folder: Path
    called: list[str] = field(default_factory=list)

    @property
    def view(self) -> Any:
        return SimpleNamespace(say=lambda _: None, phase=lambda _: None)

    @property
    def load(self) -> Any:
        return SimpleNamespace(stop=lambda: self._note("load stopped"))

    @property
    def safety(self) -> Any:
        return SimpleNamespace(watchdog=SimpleNamespace(promise=lambda _: None))

    def read_back(self) -> None:
        self._note("read back")

    def _note(self, what: str) -> None:
        self.called.append(f"{what}, {'healing' if (self.folder / observe.HELD).exists() else 'broken'}")


@pytest.mark.parametrize(
    ("name", "called"),
    [("region-loss", ["load stopped, broken", "read back, broken"]), ("backup-restore", [])],
)
def test_only_where_the_region_is_lost_it_is_read_back_before_the_word_to_heal(
    tmp_path: Path, name: str, called: list[str]
) -> None:
    events = EventLog(tmp_path / "history")
    one = Underway(events=events, recent=cast("Any", SimpleNamespace(held_since=lambda since: since)))
    one.injected_ns = 1
    part = Part(DRILLS[name], tmp_path)

    assert conductor._service_held(cast("Drill", part), one, 5)

    events.close()
    assert part.called == called
    assert one.read is bool(called)
    assert (tmp_path / observe.HELD).exists()
    assert (History(tmp_path / "history").event("load.stop") is not None) is bool(called)
