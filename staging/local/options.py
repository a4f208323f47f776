"""What one may choose when starting a local staging; the same on both sides of the process boundary."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from staging.local.defects import Defect
from staging.local.network.choose import ISOLATIONS
from staging.local.timings import FAST, PROFILES, Timings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices, validated."""

    isolation: str | None = None  # None: the most faithful that this machine allows
    timings: Timings = FAST
    defects: frozenset[Defect] = frozenset()
    tasks: int = 2  # one per zone; on two cores four of them cost a third more CPU for the same load
    port: int | None = None  # of the bank, on loopback; None: any free one
    owner_pid: int | None = None  # the staging ends with this process

    def argv(self) -> list[str]:
        """Return them as arguments of the host process."""
        return [
            *(("--isolation", self.isolation) if self.isolation else ()),
            *("--timings", self.timings.name, "--tasks", str(self.tasks)),
            *(word for defect in sorted(self.defects, key=str) for word in ("--defect", defect.value)),
            *(("--port", str(self.port)) if self.port else ()),
            *(("--owner-pid", str(self.owner_pid)) if self.owner_pid else ()),
        ]


def parse(argv: Sequence[str] | None = None) -> tuple[Path, Options]:
    """Read the host's arguments: the state directory and the choices."""
    parser = argparse.ArgumentParser(prog="staging.local.host", description="The local double of staging.")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--isolation", choices=ISOLATIONS)
    parser.add_argument("--timings", choices=sorted(PROFILES), default=FAST.name)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--defect", choices=[defect.value for defect in Defect], action="append", default=[])
    parser.add_argument("--port", type=int)
    parser.add_argument("--owner-pid", type=int)
    chosen = parser.parse_args(argv)
    return chosen.state_dir, Options(
        isolation=chosen.isolation,
        timings=PROFILES[chosen.timings],
        defects=frozenset(Defect(name) for name in chosen.defect),
        tasks=chosen.tasks,
        port=chosen.port,
        owner_pid=chosen.owner_pid,
    )
