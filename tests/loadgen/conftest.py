from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.loadgen.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as target:
        yield target
