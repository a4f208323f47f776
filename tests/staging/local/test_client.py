"""What the rules of a running local staging are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from blackstart.staging import Facts
from staging.local import state_file
from staging.local.client import LocalStaging
from staging.local.defects import Defect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("defects", "share"), [((), 0.9), ((str(Defect.NO_ON_DEMAND_BASE),), 1.0)])
def test_all_tasks_may_only_be_taken_where_it_is_planted_that_all_are_on_spot(
    tmp_path: Path, defects: tuple[str, ...], share: float
) -> None:
    facts = Facts(
        name="local", account="123456789012", region="us-east-1", isolation="none", timings="fast",
        base_url="http://127.0.0.1:1", versions={}, defects=defects,
    )  # fmt: skip
    us = state_file.Known.of(psutil.Process())
    state = state_file.State(host=us, data_dir=str(tmp_path), aws_endpoint="http://127.0.0.1:1", facts=facts)
    state_file.write(tmp_path, state)

    assert LocalStaging.attach(tmp_path).rules.share_max == share
