"""When requests start: an open-model schedule, which never waits for an answer."""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Schedule(StrEnum):
    """How arrivals spread over time at the same mean rate."""

    STRATIFIED = (
        "stratified"  # one at a random point of each slot: no beat with the platform, no luck in the count
    )
    CONSTANT = "constant"  # as regular as a clock
    POISSON = "poisson"  # as bursty as independent customers


def due_times(schedule: Schedule, *, rate: float, start_ns: int, random: Random) -> Iterator[int]:
    """Yield, for ever, the nanoseconds of the clock at which a request is due, in order."""
    slot_ns = 1e9 / rate
    if schedule is Schedule.POISSON:
        return _poisson(slot_ns, start_ns, random)
    if schedule is Schedule.CONSTANT:
        return _constant(slot_ns, start_ns, random)
    return _stratified(slot_ns, start_ns, random)


def _stratified(slot_ns: float, start_ns: int, random: Random) -> Iterator[int]:
    for slot in itertools.count():
        yield start_ns + int((slot + random.random()) * slot_ns)


def _constant(slot_ns: float, start_ns: int, random: Random) -> Iterator[int]:
    phase = random.random()  # so that the users of a load do not fire together
    for slot in itertools.count():
        yield start_ns + int((slot + phase) * slot_ns)


def _poisson(slot_ns: float, start_ns: int, random: Random) -> Iterator[int]:
    elapsed_ns = 0.0
    while True:
        elapsed_ns += random.expovariate(1) * slot_ns
        yield start_ns + int(elapsed_ns)
