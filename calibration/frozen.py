"""A target that froze: the requests that it holds, and the truth about who had to wait for too long.

Answers to all of them take a while to send, so the last ones to ask may wait longer than the first promise
would allow although they asked only just before it woke up. Each answer lies between two clock reads.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from calibration.kinds import GOOD_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Callable

_GOOD_NS: Final = int(GOOD_WITHIN_S * 1e9)
_AT_ONCE: Final = 10  # answers between two clock reads; they leave when the event loop goes round


@dataclass(frozen=True, kw_only=True)
class Answered:
    """When a request came, and the two instants between which its answer left."""

    came_ns: int
    from_ns: int
    until_ns: int


@dataclass
class Frozen:
    """Requests that wait for the target to wake up, in the order in which they came."""

    held: deque[tuple[int, Callable[[], None]]] = field(default_factory=deque)

    def hold(self, answer: Callable[[], None]) -> None:
        """Keep a request that came now."""
        self.held.append((time.monotonic_ns(), answer))

    async def thaw(self) -> list[Answered]:
        """Answer all of them, and whoever asks in the meantime, too; say when each was answered."""
        answered = []
        while self.held:
            from_ns = time.monotonic_ns()
            some = [self.held.popleft() for _ in range(min(_AT_ONCE, len(self.held)))]
            for _, answer in some:
                answer()
            await asyncio.sleep(0)  # now they are sent
            until_ns = time.monotonic_ns()
            answered += [Answered(came_ns=came, from_ns=from_ns, until_ns=until_ns) for came, _ in some]
        return answered


def good_again(answered: list[Answered], else_ns: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Return how many were answered too late, and from when on one had to ask to be answered in time.

    That instant lies between two; `else_ns` is returned when nobody was late. Whoever asks between two
    requests is answered between their answers, and in time from 200 ms before his own on.
    """
    late = [nth for nth, one in enumerate(answered) if one.from_ns - one.came_ns > _GOOD_NS]
    if not late:
        return 0, else_ns
    last = answered[late[-1]]
    low_ns = max(last.came_ns, last.from_ns - _GOOD_NS)
    after = [one for one in answered[late[-1] + 1 :] if one.until_ns - one.came_ns <= _GOOD_NS]
    # who asked after the last of them was answered at once
    high_ns = min(after[0].came_ns, after[0].until_ns - _GOOD_NS) if after else last.until_ns - _GOOD_NS
    return len(late), (low_ns, max(low_ns, high_ns))
