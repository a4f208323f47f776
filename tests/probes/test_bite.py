"""Whether the fault took effect, by what was looked for after each injection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from blackstart.verdict import Verdict, judge
from objectives import BITTEN
from probes.bite import unbitten
from tests.histories import Story

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("faults", "bites", "verdict"),
    [
        (1, [True], Verdict.PASSED),
        (2, [True, True], Verdict.PASSED),
        (1, [False], Verdict.FAILED),
        (2, [True, False], Verdict.FAILED),
        (2, [True], Verdict.UNKNOWN),  # the other one was never looked for
        (1, [], Verdict.UNKNOWN),
        (0, [], Verdict.UNKNOWN),
    ],
)
def test_every_fault_must_have_bitten(
    tmp_path: Path, faults: int, bites: list[bool], verdict: Verdict
) -> None:
    story = Story(tmp_path).request(0.5)
    for number in range(faults):
        story.fault(1.0 + number)
    for number, confirmed in enumerate(bites):
        story.event("bite", 1.5 + number, confirmed=confirmed, evidence="as was seen")

    assert judge(BITTEN, story.tell()).verdict is verdict


def test_it_says_what_was_seen(tmp_path: Path) -> None:
    story = Story(tmp_path).fault(1.0).fault(2.0)
    story.event("bite", 1.5, confirmed=False, evidence="it still answers")

    assert unbitten(story.tell()).note == "it still answers; nobody looked at 1 more"
