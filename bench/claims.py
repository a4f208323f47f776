"""How often the statistics are wrong: bounds on 99.9 %, and runs compared with earlier ones.

    .venv/bin/python bench/claims.py --series 2000

The bounds are computed exactly, from the binomial distribution: of drills whose true availability is exactly
the promised one, how many would pass (it should be one in twenty at most), by three kinds of bound. The
comparisons are made on seeded series of durations: how often noise is flagged as slower, and how often a real
slow-down is. Prints tables for docs/measurements.md.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import binom, norm

from blackstart.verdict import RISK
from probes.proportion import share_min
from reports.earlier import SLOWER, Run, compare

PROMISED = 0.999
REQUESTS = (3_000, 5_000, 10_000, 30_000, 60_000, 600_000)
SERIES = 500
NOISES = ("steady", "scattered", "two modes", "seldom long")
SLOW_DOWNS = ((2.0, 1), (1.5, 1), (1.3, 5), (1.5, 5), (2.0, 5), (4.0, 5))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--series", type=int, default=SERIES)
    series = parser.parse_args().series
    rows = [(f"{n:,}", *(f"{100 * passes(n, PROMISED, bound):.1f}" for bound in BOUNDS)) for n in REQUESTS]
    worst = (max(passes(n, PROMISED, bound) for n in range(2_000, 10_000, 37)) for bound in BOUNDS)
    rows.append(("2,000 to 10,000, at worst", *(f"{100 * share:.1f}" for share in worst)))
    table(("requests", *(f"passed by {name}, %" for name in NAMES)), rows)
    powers = (0.9995, 0.9998, 0.9999)
    rows = [(f"{n:,}", *(f"{100 * passes(n, true, share_min):.0f}" for true in powers)) for n in REQUESTS]
    table(("requests", *(f"passed if it is {100 * true:g} %" for true in powers)), rows)
    for runs in (9, 12, 30):
        rows = [(kind, f"{100 * share_flagged(kind, runs, 1.0, 1, series):.1f}") for kind in NOISES]
        table((f"noise, {runs - 1} earlier runs", "flagged, %"), rows)
    heads = tuple(f"{last} run{'s' if last > 1 else ''}, x{factor:g}" for factor, last in SLOW_DOWNS)
    rows = [
        (kind, *(f"{100 * share_flagged(kind, 30, factor, last, series):.0f}" for factor, last in SLOW_DOWNS))
        for kind in NOISES
    ]
    table(("slow-down after 25 runs and more, flagged, %", *heads), rows)


def wilson(good: float, asked: float) -> float:
    """Return Wilson's lower bound of a share."""
    z, share = float(norm.ppf(1 - RISK)), good / asked
    middle, spread = share + z**2 / 2 / asked, z * np.sqrt(share * (1 - share) / asked + z**2 / 4 / asked**2)
    return float((middle - spread) / (1 + z**2 / asked))


def wald(good: float, asked: float) -> float:
    """Return the lower bound of the usual textbook interval."""
    share = good / asked
    return share - float(norm.ppf(1 - RISK)) * float(np.sqrt(share * (1 - share) / asked))


NAMES = ("Clopper-Pearson", "Wilson", "Wald")
BOUNDS = (share_min, wilson, wald)


def passes(asked: int, true: float, bound) -> float:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a bound
    """Return how often the lower bound reaches what was promised, when that is the true share."""
    most = 0  # failures with which it still does: bounds fall with each
    while bound(asked - most, asked) >= PROMISED:
        most += 1
    return float(binom.cdf(most - 1, asked, 1 - true)) if most else 0.0


def noise(kind: str, runs: int, seed: int) -> list[float]:
    """Return a series of durations in which nothing changes."""
    chance = np.random.default_rng(seed)
    series = {
        "steady": 5 * chance.lognormal(0, 0.1, runs),
        "scattered": 2 * chance.lognormal(0, 0.7, runs),
        "two modes": np.where(chance.random(runs) < 0.3, 4.0, 0.6) * chance.lognormal(0, 0.1, runs),
        "seldom long": 1 + chance.exponential(1, runs),
        "none at all": np.full(runs, 0.0),
    }
    return [float(value) for value in series[kind]]


def said(series: list[float]) -> str:
    """Return what is said of the last run of a series."""
    *earlier, now = series
    return compare("recovery time", "s", now, [Run(run=str(n), value=v) for n, v in enumerate(earlier)]).said


def share_flagged(kind: str, runs: int, factor: float, last: int, series: int = SERIES) -> float:
    """Return how often the last run is flagged when the last ones take that much longer."""
    flagged = 0
    for seed in range(series):
        durations = noise(kind, runs, seed)
        flagged += said(durations[:-last] + [value * factor for value in durations[-last:]]) == SLOWER
    return flagged / series


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table in Markdown."""
    for row in (heads, ("---",) * len(heads), *rows):
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
