"""How far a long piece of work has come, all its steps taken together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from staging.local.backups import Progress

# begin and end of each step, as shares of the whole; measured with a ledger of 1 GB
_SPANS = {
    "base backup": (0.0, 0.5), "write out": (0.5, 1.0),
    "copy": (0.0, 0.6), "verify": (0.6, 0.8), "replay": (0.8, 1.0),
}  # fmt: skip


def share_done(progress: Progress) -> float:
    """Return the share of the work that is done, below 1 until somebody says that all is."""
    begin, end = _SPANS[progress.step]
    of_step = min(1.0, progress.done_bytes / progress.total_bytes) if progress.total_bytes else 0.0
    return min(0.99, begin + (end - begin) * of_step)
