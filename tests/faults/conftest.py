"""What the faults on an Aurora cluster are tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from tests.faults.ledger_on_moto import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # moto names its automated snapshots by the minute, and so refuses a second cluster of the same name
    monkeypatch.setattr("moto.rds.models.DBCluster.save_automated_backup", lambda _: None)
    with mock_aws(
        config={"core": {"mock_credentials": True, "passthrough": {"urls": [r"http://localhost:.*"]}}}
    ):
        built = Site(tmp_path)
        yield built
        built.bank.close()
