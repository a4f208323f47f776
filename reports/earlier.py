"""Whether a drill went slower than the same drill did before, or only as noise has it.

Two questions, each with its own chance of a false alarm of one in a hundred:

- Does *this run* lie above what the earlier ones let expect of one more? Durations are skewed, so their
  logarithms are compared, with Student's t, which is wide when there are few runs. A run that is no slower
  than the slowest one before, or than the middle one by a tenth, is never flagged.
- Are *the last five runs*, this one among them, slower than those before? Ranks only (Mann and Whitney,
  exactly), so that a single odd run, in either group, weighs no more than any other.
"""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from scipy.special import stdtrit

from blackstart.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

RISK: Final = 0.01
RUNS_MIN: Final = 8  # with fewer, durations that come in two sizes would look like slow-downs
RUNS_MAX: Final = 50  # the latest ones; what was long ago was another platform
LATELY: Final = 5
RELEVANT: Final = 1.1  # a run is slower only if it is so by a tenth
FLOOR: Final = 1e-3  # of a second: below it, durations are all the same

SLOWER, AS_BEFORE, TOO_FEW, NOT_MEASURED = "slower", "as before", "too few earlier runs", "not measured"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What an earlier run of the same drill measured; the middle of its interval."""

    run: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One measured quantity of this run beside the same of earlier ones."""

    name: str
    unit: str
    now: float | None
    earlier: tuple[Run, ...]
    said: str
    why: str


def compare(name: str, unit: str, now: float | None, earlier: Sequence[Run]) -> Comparison:
    """Compare a duration of this run with those of earlier runs, the oldest first."""
    known = tuple(earlier[-RUNS_MAX:])
    said, why = _judge(now, [run.value for run in known])
    return Comparison(name=name, unit=unit, now=now, earlier=known, said=said, why=why)


def _judge(now: float | None, earlier: list[float]) -> tuple[str, str]:
    if now is None:
        return NOT_MEASURED, "this run has no bounded measurement of it"
    if len(earlier) < RUNS_MIN:
        return TOO_FEW, f"{len(earlier)} comparable ones; {RUNS_MIN} are needed"
    usual = f"{len(earlier)} earlier runs: median {statistics.median(earlier):.3g}, most {max(earlier):.3g}"
    expected = expected_at_most(earlier)
    if now > max(expected, *earlier, RELEVANT * statistics.median(earlier)):
        return SLOWER, f"{now:.3g} in this run, {expected:.3g} at most expected of it ({usual})"
    before, lately = earlier[: -(LATELY - 1)], [*earlier[-(LATELY - 1) :], now]
    chance = slower_by_chance(before, lately) if len(before) >= RUNS_MIN else 1.0
    slower_at_all = statistics.median(lately) > RELEVANT * statistics.median(before or lately)
    if chance < RISK and slower_at_all:
        return SLOWER, f"the last {LATELY} runs, by ranks; by chance once in {1 / chance:,.0f} ({usual})"
    return AS_BEFORE, usual


def expected_at_most(earlier: Sequence[float]) -> float:
    """Return what one more run exceeds once in a hundred, if it is like these."""
    logs = [math.log(max(value, FLOOR)) for value in earlier]
    quantile = float(stdtrit(len(logs) - 1, 1 - RISK))
    return math.exp(statistics.mean(logs) + quantile * statistics.stdev(logs) * math.sqrt(1 + 1 / len(logs)))


def slower_by_chance(before: Sequence[float], lately: Sequence[float]) -> float:
    """Return how often, all runs being alike, the later ones would rank this high or higher."""
    wins = sum((b > a) + (b == a) / 2 for a in before for b in lately)
    counts = _arrangements(len(before), len(lately))
    return sum(counts[math.floor(wins) :]) / sum(counts)


def _arrangements(before: int, lately: int) -> list[int]:
    """Return in how many orders of so many runs the later ones win 0, 1, 2, ... times."""
    ways = {(m, 0): [1] for m in range(before + 1)} | {(0, n): [1] for n in range(lately + 1)}
    for m in range(1, before + 1):
        for n in range(1, lately + 1):
            # the greatest of all is a later one, which wins m times, or an earlier one
            won, lost = [0] * m + ways[m, n - 1], ways[m - 1, n]
            longer = max(len(won), len(lost))
            padded = (some + [0] * (longer - len(some)) for some in (won, lost))
            ways[m, n] = [a + b for a, b in zip(*padded, strict=True)]
    return ways[before, lately]


def comparisons(record: Any, records: Iterable[Any]) -> list[dict[str, Any]]:
    """Compare the recovery time and the latency of a record with those of earlier, comparable records."""
    alike = sorted((one for one in records if _alike(one, record)), key=lambda one: str(one["run"]))
    found = []
    for name, unit in (("recovery time", "s"), ("latency, 95 of 100 requests", "ms")):
        runs = [(str(one["run"]), _value(one, name)) for one in alike]
        known = [Run(run=run, value=value) for run, value in runs if value is not None]
        found.append(asdict(compare(name, unit, _value(record, name), known)))
    return [{**one, "earlier": list(one["earlier"])} for one in found]


def records_of(drills: Path) -> list[dict[str, Any]]:
    """Return the records of all drills that left one."""
    return [json.loads(path.read_text()) for path in sorted(drills.glob("*/record.json"))]


def _alike(one: Any, record: Any) -> bool:
    """Tell whether an earlier run is comparable: the same drill, load and staging, judged and put back."""
    staging = ("name", "timings", "isolation", "defects")
    return (
        one["run"] < record["run"]
        and all(one[name] == record[name] for name in ("schema", "drill", "rate_per_s"))
        and all(one["staging"][name] == record["staging"][name] for name in staging)
        and bool(one["objectives"])
        and one["exit_code"] != ExitCode.NOT_HEALED
    )


def _value(record: Any, name: str) -> float | None:
    measured = [figure["measured"] for figure in record["figures"] if figure["name"] == name]
    if name == "recovery time":
        measured = [record["recovery"]] if record["recovery"] else []
    if not measured or measured[0]["low"] is None or measured[0]["high"] is None:
        return None
    return float(measured[0]["low"] + measured[0]["high"]) / 2
