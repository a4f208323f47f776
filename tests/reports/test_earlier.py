"""A real slow-down is flagged and noise is not, on seeded series."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from claims import said, share_flagged
from rich.console import Console
from scipy.stats import mannwhitneyu

from reports import earlier, page, screen
from reports.earlier import (
    AS_BEFORE,
    NOT_MEASURED,
    SLOWER,
    TOO_FEW,
    compare,
    comparisons,
    records_of,
    slower_by_chance,
)
from tests.reports.drilled import failover, told


@pytest.mark.parametrize("runs", [9, 12, 30])
@pytest.mark.parametrize("kind", ["steady", "scattered", "two modes", "seldom long", "none at all"])
def test_noise_is_not_flagged(kind: str, runs: int) -> None:
    assert share_flagged(kind, runs, 1.0, 1) <= 0.04


@pytest.mark.parametrize(
    ("kind", "runs", "factor", "last"),
    [
        ("steady", 12, 2.0, 1),  # one run, twice as slow
        ("steady", 30, 1.7, 1),
        ("steady", 20, 1.3, 5),  # five in a row, each of which could be chance
        ("scattered", 30, 5.0, 5),
        ("seldom long", 30, 4.0, 5),
    ],
)
def test_a_real_slow_down_is_flagged(kind: str, runs: int, factor: float, last: int) -> None:
    assert share_flagged(kind, runs, factor, last) >= 0.95


def test_faster_is_not_slower() -> None:
    assert share_flagged("steady", 20, 0.5, 5) == 0


def test_a_slow_down_too_small_to_matter_is_not_flagged() -> None:
    assert said([5.0, 5.001, 5.002, 5.0, 5.001, 5.0, 5.001, 5.002, 5.4]) == AS_BEFORE


def test_seven_earlier_runs_are_too_few_and_none_is_not_measured() -> None:
    assert said([1.0] * 7 + [9.0]) == TOO_FEW
    assert compare("x", "s", None, []).said == NOT_MEASURED


@pytest.mark.parametrize("seed", range(5))
def test_the_ranks_are_mann_and_whitneys(seed: int) -> None:
    random = np.random.default_rng(seed)
    before, lately = random.random(9).tolist(), (random.random(5) + 0.2).tolist()

    expected = mannwhitneyu(lately, before, alternative="greater", method="exact").pvalue
    assert slower_by_chance(before, lately) == pytest.approx(expected)


def record(n: int, recovery_s: float | None, **changes: Any) -> dict[str, Any]:
    measured = None if recovery_s is None else {"low": recovery_s - 0.1, "high": recovery_s + 0.1}
    staging = {"name": "local", "timings": "fast", "isolation": "namespaces", "defects": [], "account": "1"}
    figure = {"name": "latency, 95 of 100 requests", "measured": {"low": 10.0, "high": None}}
    return {
        "schema": "s", "drill": "d", "run": f"2026-{n:03}", "rate_per_s": 1000.0, "staging": staging,
        "objectives": [{}], "recovery": measured, "figures": [figure], "exit_code": 0, **changes,
    }  # fmt: skip


def test_a_record_says_what_became_slower_on_screen_and_page(tmp_path: Path) -> None:
    history = failover(tmp_path)
    before = [told(history, run=f"a-{n}") for n in range(9)]
    for n, one in enumerate(before):
        assert one["recovery"]
        one["recovery"]["low"], one["recovery"]["high"] = 0.1 + n / 100, 0.2 + n / 100

    found = told(history, run="r-1", earlier=before)

    console = Console(record=True, width=200)
    screen.show(found, console)
    assert [one["said"] for one in found["compared"]] == [SLOWER, AS_BEFORE]
    assert "SLOWER THAN BEFORE: recovery time" in console.export_text()
    assert "earlier runs of the same drill" in page.page(found, None)
    jsonschema.validate(found, record_schema())


def record_schema() -> Any:
    return json.loads(Path(earlier.__file__).with_name("record.schema.json").read_text())


def test_records_are_compared_with_their_like(tmp_path: Path) -> None:
    others = [
        record(90, 1.0, drill="another"), record(91, 1.0, rate_per_s=100.0), record(92, 1.0, objectives=[]),
        record(94, 1.0, exit_code=6), record(200, 1.0), record(93, None),
    ]  # fmt: skip
    for one in [*(record(n, 5.0 + n / 100) for n in range(9)), *others]:
        (tmp_path / one["run"]).mkdir()
        (tmp_path / one["run"] / "record.json").write_text(json.dumps(one))

    recovery, latency = comparisons(record(100, 11.0), records_of(tmp_path))

    assert recovery["said"] == SLOWER
    assert [run["run"] for run in recovery["earlier"]] == [f"2026-{n:03}" for n in range(9)]
    assert latency["said"] == NOT_MEASURED
    assert json.loads(json.dumps(recovery)) == recovery
