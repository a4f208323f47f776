"""Latency outside the outage, from the intended start."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from blackstart.verdict import Verdict, judge
from objectives import LATENCY
from probes.latency import p50, p99
from tests.histories import MS, Load, Story, ns, steady_load

if TYPE_CHECKING:
    from pathlib import Path


def story(folder: Path, load: Load, rate: float = 1000.0) -> Story:
    return load.into(Story(folder, rate=rate)).fault(3.0).healed(9.95)


def test_the_quantile_lies_in_the_interval(tmp_path: Path) -> None:
    load = steady_load(1000, 10, 1)
    took = np.random.default_rng(1).exponential(20, len(load.ok))
    history = story(tmp_path, replace(load, end_ns=load.intended_ns + (took * MS).astype(np.int64))).tell()

    assert p50(history).low < 20 * math.log(2) < p50(history).high
    assert p99(history).low < 20 * math.log(100) < p99(history).high
    assert judge(LATENCY, history).verdict is Verdict.PASSED


def test_slow_answers_outside_the_outage_fail(tmp_path: Path) -> None:
    load = steady_load(1000, 10, 1)
    slow = (np.arange(len(load.ok)) % 50 == 0) & (load.start_ns < ns(2.5))
    slow |= load.start_ns > ns(9)

    history = story(tmp_path, replace(load, end_ns=load.end_ns + slow * 300 * MS)).tell()

    assert judge(LATENCY, history).verdict is Verdict.FAILED


def test_no_answer_is_slower_than_any(tmp_path: Path) -> None:
    load = steady_load(1000, 10, 1)
    unanswered = (load.start_ns > ns(1.0)) & (load.start_ns < ns(1.5))
    history = story(tmp_path, replace(load, ok=load.ok & ~unanswered)).tell()

    assert (p99(history).low, p99(history).high) == (2000, math.inf)
    assert judge(LATENCY, history).verdict is Verdict.FAILED


def test_a_late_generator_neither_flatters_nor_blames(tmp_path: Path) -> None:
    load = steady_load(1000, 10, 1)
    late = (load.start_ns > ns(1.0)) & (load.start_ns < ns(1.5))
    load = replace(load, start_ns=load.start_ns + late * 300 * MS, end_ns=load.end_ns + late * 300 * MS)

    measured = p99(story(tmp_path, load).tell())

    assert measured.low < 10
    assert measured.high > 300
    assert "sent late" in measured.note


def test_a_few_requests_say_nothing_of_the_slowest_hundredth(tmp_path: Path) -> None:
    history = story(tmp_path, steady_load(5, 10, 1), rate=5.0).tell()

    assert p99(history).high == math.inf
    assert judge(LATENCY, history).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("probe", [p50, p99])
def test_without_a_fault_it_is_unknown(tmp_path: Path, probe: object) -> None:
    objective = replace(LATENCY, probe=probe)  # type: ignore[arg-type]

    assert judge(objective, Story(tmp_path).request(1.0).tell()).verdict is Verdict.UNKNOWN
