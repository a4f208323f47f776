"""The exact bounds agree with scipy's, and clusters count for less."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from probes.proportion import dispersion, quantile_bounds, share, share_max, share_min
from tests.histories import S


@pytest.mark.parametrize(("good", "asked"), [(0, 10), (10, 10), (2995, 2995), (9996, 10_000), (7, 20)])
def test_the_bounds_are_clopper_and_pearsons(good: int, asked: int) -> None:
    test = binomtest(good, asked, alternative="two-sided").proportion_ci(0.90, method="exact")

    assert share_min(good, asked) == pytest.approx(test.low)
    assert share_max(good, asked) == pytest.approx(test.high)


def test_99_9_percent_takes_2995_requests_without_a_failure() -> None:
    assert share_min(2994, 2994) < 0.999 <= share_min(2995, 2995)


def test_failures_in_one_second_count_for_less_than_scattered_ones() -> None:
    at_ns = np.arange(60_000, dtype=np.int64) * (S // 1000)
    clustered, scattered = np.ones(60_000, dtype=np.bool_), np.ones(60_000, dtype=np.bool_)
    clustered[30_000:30_030] = False
    scattered[:: 60_000 // 30] = False

    assert share(clustered, at_ns).low < 99.9 < share(scattered, at_ns).low
    assert share(clustered, at_ns).high == share(scattered, at_ns).high


def test_no_failures_are_not_clustered() -> None:
    at_ns = np.arange(10, dtype=np.int64)

    assert dispersion(at_ns[:0], at_ns) == 1.0


@pytest.mark.parametrize("samples", [1, 50, 300, 10_000, 1_000_000])
@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_the_ranks_are_wrong_once_in_twenty_at_most(samples: int, quantile: float) -> None:
    low, high = quantile_bounds(quantile, samples)

    assert low == 0 or binom.cdf(low - 1, samples, quantile) <= 0.05
    assert high == samples + 1 or binom.sf(high - 1, samples, quantile) <= 0.05
