"""Breaks the harness from outside, and runs it: `python -m selftest.saboteur NAME --home HOME drill ...`.

Nothing in the product knows of this. What has really been broken is marked in the home. Some sabotages lay
hands on the load's process (a signal, a limit of the kernel), some replace one function of the harness before
it starts, as a bug in it would.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selftest import hands, marker, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EXPERIMENT = "blackstart.experiment"

# what happens to the load's processes when the fault has come; each is given the drill's history folder
HANDS: Final[Mapping[str, Callable[[Path], None]]] = {
    "load-silent": hands.stop_the_load,
    "load-killed": hands.kill_the_load,
    "recorder-dead": hands.fill_the_disk,
    "generator-starved": hands.starve_the_load,
    "clock-stepped": hands.step_the_clock,
}
# which function of the harness is replaced
REPLACED: Final[Mapping[str, Callable[[replaced.Acted], None]]] = {
    "half-the-load": replaced.half_the_load,
    "probe-broken": replaced.broken_probe,
    "alarms-unreadable": replaced.unreadable_alarms,
    "final-reads-elsewhere": replaced.final_reads_elsewhere,
    "final-reads-cut-off": replaced.final_reads_cut_off,
    "history-truncated": replaced.history_truncated,
    "events-truncated": replaced.events_truncated,
}
# the same, in the process of the experiment
IN_EXPERIMENT: Final[Mapping[str, Callable[[replaced.Acted], None]]] = {
    "fault-does-not-bite": replaced.toothless_fault,
}
NAMES: Final = (*HANDS, *REPLACED, *IN_EXPERIMENT)


def main(name: str, words: Sequence[str]) -> None:
    """Break what is to be broken, and run the command line, or the experiment's process. Raises KeyError."""
    sys.argv = ["blackstart", *words]
    home = Path(words[words.index("--home") + 1]).absolute()  # the experiment runs in another folder
    acted = marker.leaving(home, name)
    if _EXPERIMENT in words:
        IN_EXPERIMENT[name](acted)
        sys.argv = list(words[words.index(_EXPERIMENT) :])
        runpy.run_module(_EXPERIMENT, run_name="__main__")
        return
    if name in HANDS:
        hands.wait_and_act(home, HANDS[name], acted)
    elif name in REPLACED:
        REPLACED[name](acted)
    else:
        if name not in IN_EXPERIMENT:  # or a harness that nobody broke would run
            raise KeyError(name)
        through = ["-m", "selftest.saboteur", name, "--home", str(home), _EXPERIMENT]
        replaced.start_experiments_through(through, _EXPERIMENT)
    from blackstart.cli import main as command_line  # noqa: PLC0415 - what is replaced is replaced before

    command_line()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
