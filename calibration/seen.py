"""What was seen in one cell, kept in a folder: it can be measured again by later probes, without a run.

`cell.json` is written last: a folder without it is of a run that did not come to its end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from blackstart.history import EventLog, History
from calibration.control import Truth
from calibration.kinds import Kind
from calibration.onlookers import Look, looks_in
from calibration.plan import APART_S, CALM_S, Cell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE: Final = "cell.json"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One outage as it really was, and the history from which it is to be measured."""

    cell: Cell
    seconds: float
    truth: Truth
    history: History
    until_ns: int
    stalls: list[tuple[int, int]]  # of the target itself
    polled: list[Look]
    stock: list[Look]


def keep(
    folder: Path, cell: Cell, truths: Sequence[Truth], stalls: Sequence[tuple[int, int]], polled: list[Look]
) -> None:
    """Write down what no history says, and tell each outage as a drill of its own."""
    for nth, (truth, until_ns) in enumerate(zip(truths, _ends_ns(cell, truths), strict=True)):
        _tell(folder, nth, truth, until_ns)
    kept = {
        "cell": asdict(cell),
        "truths": [asdict(truth) for truth in truths],
        "stalls": list(stalls),
        "polled": [[look.start_ns, look.end_ns, look.ok] for look in polled],
    }
    (folder / FILE).write_bytes(orjson.dumps(kept))


def is_kept(folder: Path) -> bool:
    """Tell whether a cell was run to its end in this folder."""
    return (folder / FILE).exists()


def kept_in(folder: Path) -> list[Seen]:
    """Return what was seen, outage by outage."""
    kept = orjson.loads((folder / FILE).read_bytes())
    cell, truths = _cell(kept["cell"]), [_truth(one) for one in kept["truths"]]
    polled = [Look(start_ns=start, end_ns=end, ok=ok) for start, end, ok in kept["polled"]]
    stalls = [(from_ns, until_ns) for from_ns, until_ns in kept["stalls"]]
    stock = looks_in(folder)
    return [
        Seen(
            cell=cell, seconds=cell.seconds[nth], truth=truth, history=History(folder / f"outage-{nth}"),
            until_ns=until_ns, stalls=stalls, polled=polled, stock=stock,
        )
        for nth, (truth, until_ns) in enumerate(zip(truths, _ends_ns(cell, truths), strict=True))
    ]  # fmt: skip


def _ends_ns(cell: Cell, truths: Sequence[Truth]) -> list[int]:
    """Return until when each outage was watched."""
    before_next = [truth.broken_ns[0] - int((APART_S + CALM_S) * 1e9) for truth in truths[1:]]
    return [*before_next, truths[-1].mended_ns[1] + int(cell.watch_s * 1e9)]


def _tell(folder: Path, nth: int, truth: Truth, until_ns: int) -> None:
    """Tell an outage as a drill: the same requests, with the fault where it really was."""
    own = folder / f"outage-{nth}"
    log = EventLog(own)
    for path in (folder / "history").glob("requests-*.jsonl"):
        (own / path.name).symlink_to(f"../history/{path.name}")
    began_ns, broken_ns = truth.broken_ns
    log.write("phase", at_ns=began_ns - int(CALM_S * 1e9), name="baseline")
    log.write("inject.start", at_ns=began_ns, fault=f"calibration: {truth.kind}", targets=["the target"])
    log.write("inject.end", at_ns=broken_ns, fault=f"calibration: {truth.kind}")
    log.write("heal.start", at_ns=until_ns, fault=f"calibration: {truth.kind}")
    log.close()


def _cell(kept: dict[str, Any]) -> Cell:
    return Cell(**{**kept, "kind": Kind(kept["kind"]), "seconds": tuple(kept["seconds"])})


def _truth(kept: dict[str, Any]) -> Truth:
    spans = {name: tuple(kept[name]) for name in ("broken_ns", "mended_ns", "again_ns")}
    return Truth(**{**kept, "kind": Kind(kept["kind"]), **spans})
