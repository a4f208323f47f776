from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.front import Front
from staging.local.control_plane.server import Server
from tests.staging.local.control_plane.estate import Estate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def front(trail: Path) -> Iterator[Front]:
    audit = AuditTrail(trail)
    yield Front(audit)
    audit.close()


@pytest.fixture
def aws(front: Front) -> Iterator[Callable[..., Any]]:
    """boto3 clients of a front that is served on a real socket."""
    door = socket.create_server(("127.0.0.1", 0))
    server = Server(front, [door])
    server.start()
    host, port = door.getsockname()[:2]

    def client(service: str, region: str = "us-east-1") -> Any:
        return boto3.client(
            service, endpoint_url=f"http://{host}:{port}", region_name=region,
            aws_access_key_id="x", aws_secret_access_key="x",  # noqa: S106 - nobody checks it
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )  # fmt: skip

    yield client
    server.stop()


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    """Real clusters, shared by the tests of one file: each leaves `ledger` as it found it."""
    with tempfile.TemporaryDirectory(prefix="estate-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL's user must get through
        estate = Estate(directory)
        estate.start()
        yield estate
        estate.stop()
