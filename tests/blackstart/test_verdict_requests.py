"""How many requests a promised share takes, by the formula and by the bound itself."""

from __future__ import annotations

import pytest

from blackstart.verdict import at_least, at_most, requests_needed
from probes.availability import availability_outside
from probes.proportion import share_min


@pytest.mark.parametrize(("limit", "needed"), [(99.9, 2995), (99.0, 299), (99.99, 29956)])
def test_so_many_requests_without_a_failure_show_a_share(limit: float, needed: int) -> None:
    promise = at_least(limit, "%", availability_outside, name="x", clause="1.1", promise="p")

    assert requests_needed(promise) == needed
    assert share_min(needed - 1, needed - 1) < limit / 100 <= share_min(needed, needed)


def test_other_promises_take_none() -> None:
    assert requests_needed(at_most(30, "s", availability_outside, name="x", clause="1.1", promise="p")) == 0
    assert requests_needed(at_least(100, "%", availability_outside, name="x", clause="1.1", promise="p")) == 0
