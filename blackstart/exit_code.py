"""What a command's exit code means; a gate reads nothing else."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from blackstart.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


# how the reason begins that makes the exit code 6: healing failed, or it was done and did not help
UNHEALED, NOT_AS_BEFORE = "NOT HEALED", "NOT AS BEFORE"


class ExitCode(IntEnum):
    """One meaning each, for every command."""

    PASSED = 0  # every objective measured and met
    FAILED = 1  # an objective missed
    USAGE = 2  # bad usage, plan or configuration; nothing was changed
    UNKNOWN = 3  # not proven either way
    REFUSED = 4  # refused by a guard; nothing was changed
    STOPPED = 5  # stopped; healed, and verified
    NOT_HEALED = 6  # staging may be broken

    @classmethod
    def of(cls, verdict: Verdict) -> ExitCode:
        """Return the code of a drill that ran to its end."""
        return {Verdict.PASSED: cls.PASSED, Verdict.FAILED: cls.FAILED, Verdict.UNKNOWN: cls.UNKNOWN}[verdict]


_WORST_FIRST = (
    ExitCode.NOT_HEALED,
    ExitCode.STOPPED,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.FAILED,
    ExitCode.UNKNOWN,
    ExitCode.PASSED,
)


def of_all(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the one code of several drills; of none at all, UNKNOWN: nothing was proven."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.UNKNOWN)
