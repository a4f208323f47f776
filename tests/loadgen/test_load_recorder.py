"""What the recorder has taken, kill -9 cannot take away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from recorder import one_kill

from blackstart.history import History

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("after_s", [0.0, 0.1])
def test_kill_9_takes_nothing_that_was_written(tmp_path: Path, after_s: float) -> None:
    told = one_kill(tmp_path, after_s)

    assert told
    assert told <= {int(row[0]) for row in History(tmp_path)._rows()}
