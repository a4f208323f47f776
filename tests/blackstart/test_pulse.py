"""Service has held only when the whole window went well, whoever does not answer."""

from __future__ import annotations

import time
from typing import Any

from blackstart.pulse import Recent

NS = 1_000_000_000


def rows(rate: int, seconds: float, ok: Any = lambda _: True, ms: float = 5.0) -> list[list[Any]]:
    """Arrivals until now; `ok` tells by age in seconds whether an arrival went well."""
    now = time.monotonic_ns()
    made = []
    for number in range(int(rate * seconds)):
        start = now - int(number / rate * NS)
        good = "ok" if ok(number / rate) else "failed"
        made.append([start, start, start + int(ms * 1e6), "balance", good, "", 200, "", None, "", ""])
    return list(reversed(made))


def held(made: list[list[Any]], window_s: float = 2.0) -> bool:
    recent = Recent(100, 1.0, window_s)
    recent.add(made)
    return recent.held_since(0) is not None


def test_a_good_window_holds() -> None:
    assert held(rows(100, 4))


def test_one_failure_in_a_hundred_does_not_hold() -> None:
    assert not held(rows(100, 4, ok=lambda age: not 1 < age < 1.06))


def test_a_failure_before_the_window_is_forgiven() -> None:
    assert held(rows(100, 4, ok=lambda age: age < 2.5))


def test_slow_answers_do_not_hold() -> None:
    assert not held(rows(100, 4, ms=400))


def test_silence_does_not_hold() -> None:
    assert not held([])
    assert not held([row for row in rows(100, 4) if row[0] < time.monotonic_ns() - NS])


def test_half_the_load_does_not_hold() -> None:
    assert not held(rows(50, 4))


def test_a_window_that_began_before_the_earliest_instant_does_not_count() -> None:
    recent = Recent(100, 1.0, 2.0)
    recent.add(rows(100, 4))

    assert recent.held_since(time.monotonic_ns() - NS) is None


def test_one_bad_stretch_within_the_window_does_not_hold() -> None:
    assert not held(rows(100, 12, ok=lambda age: not 3 < age < 3.05), window_s=8.0)
    assert held(rows(100, 12, ok=lambda age: not 3 < age < 3.005), window_s=8.0)
