"""A real PostgreSQL with the bank's schema, asked as the Data API asks."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from botocore.exceptions import ClientError

import staging.local.bank
from blackstart import activities
from staging.local import binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(staging.local.bank.__file__).parent / "schema.sql"


class Postgres:
    """One server; every statement comes on a connection of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._bin = binaries.postgres_bin(home)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()
        self.execute("CREATE DATABASE ledger", database="postgres")
        self.execute(SCHEMA.read_text())

    def start(self, track_commit_timestamp: str = "on") -> None:
        options = (
            f"-p {self.port} -k {self.home} -c listen_addresses=127.0.0.1"
            f" -c track_commit_timestamp={track_commit_timestamp}"
        )
        self._run("pg_ctl", "start", "--wait", f"--log={self.home}/log", "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--mode=fast")

    def execute(self, script: str, database: str = "ledger") -> None:
        asyncio.run(self._ask("postgres", database, script, rows=False))

    def rows(self, statement: str, user: str = "postgres") -> list[list[Any]]:
        return [list(row) for row in asyncio.run(self._ask(user, "ledger", statement, rows=True))]

    async def _ask(self, user: str, database: str, sql: str, *, rows: bool) -> Any:
        connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user=user, database=database)
        try:
            return await (connection.fetch(sql) if rows else connection.execute(sql))
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        uid, gid = binaries.run_as() or (None, None)
        with (self.home / f"{program}.out").open("ab") as out:  # a pipe would stay open in the server
            subprocess.run(
                [self._bin / program, "-D", self.home / "base", *arguments],
                user=uid, group=gid, extra_groups=None if uid is None else [],
                cwd=self.home, check=True, stdout=out, stderr=out,
            )  # fmt: skip


class Asked:
    """The Data API's client over it: what the bank's user may see."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres

    def aws(self, service: str, region: str = "") -> Any:  # noqa: ARG002 - both clients are this object
        return self

    def describe_secret(self, **_: Any) -> dict[str, str]:
        return {"ARN": "arn:of:the:secret"}

    def execute_statement(self, *, sql: str, **_: Any) -> dict[str, Any]:
        try:
            rows = self.postgres.rows(sql, user="bank")
        except asyncpg.PostgresError as error:
            code = {"Error": {"Code": "DatabaseErrorException", "Message": str(error)}}
            raise ClientError(code, "ExecuteStatement") from error
        return {"records": [[_field(value) for value in row] for row in rows]}


def _field(value: object) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    kind = {bool: "booleanValue", int: "longValue"}.get(type(value), "stringValue")
    return {kind: value if kind != "stringValue" else str(value)}


@pytest.fixture(scope="session")
def born() -> Iterator[Path]:
    """A server's home with a ledger of 400 transfers, stopped; copied for each test."""
    home = Path(tempfile.mkdtemp(prefix="runbooks-", dir="/tmp"))
    home.chmod(0o755)
    try:
        (home / "first").mkdir()
        _own(home / "first")
        postgres = Postgres(home / "first")
        postgres.execute(
            "DO $$ BEGIN FOR i IN 1..400 LOOP PERFORM bank_transfer('t-' || lpad(i::text, 6, '0'),"
            " 1 + i % 50, 51 + i % 70, 1 + i % 9); END LOOP; END $$"
        )
        postgres.stop()
        yield home
    finally:
        shutil.rmtree(home)


@pytest.fixture(autouse=True)
def _nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process had asked for has been carried out or lost when its call has ended here."""
    monkeypatch.setattr(activities, "_IN_FLIGHT_S", 0.0)


@pytest.fixture
def postgres(born: Path, request: pytest.FixtureRequest) -> Iterator[Postgres]:
    home = born / str(abs(hash(request.node.name)))
    shutil.copytree(born / "first", home, symlinks=True)
    _own(home)
    copy = object.__new__(Postgres)
    copy.home, copy._bin = home, binaries.postgres_bin(home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        copy.port = free.getsockname()[1]
    copy.start()
    try:
        yield copy
    finally:
        copy.stop()
        shutil.rmtree(home)


def _own(home: Path) -> None:
    owner = binaries.run_as()
    if owner:
        shutil.chown(home, *owner)
        for path in home.rglob("*"):
            if not path.is_symlink():
                shutil.chown(path, *owner)
