"""A bank of one task, with everything it depends on: real processes, each behind a wire that can go dark."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import botocore.session
import pytest

from blackstart.waiting import wait_until
from staging.local import binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

ROOT = Path(__file__).parents[4]
SCHEMA = ROOT / "staging" / "local" / "bank" / "schema.sql"
PASSWORD = "of the bank"  # noqa: S105 - of a database that lives as long as the tests


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]
    headers: Message


class Postgres:
    """One PostgreSQL that can crash and come back on the same port."""

    def __init__(self, home: Path) -> None:
        self.password = PASSWORD
        self._home = home
        self._bin = binaries.postgres_bin(home)
        self.port = free_port()
        (home / "password").write_text(PASSWORD)
        (home / "password").chmod(0o644)
        self._run("initdb", "-A", "scram-sha-256", "-U", "postgres", f"--pwfile={home}/password", "--no-sync")
        self.start()
        self.sql("CREATE DATABASE ledger", database="postgres")
        self.sql(SCHEMA.read_text())
        self.sql(f"ALTER ROLE bank PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        options = f"-p {self.port} -k {self._home} -c listen_addresses=127.0.0.1 -c max_connections=60"
        self._run("pg_ctl", "start", "--wait", f"--log={self._home}/log", "-o", options)

    def crash(self) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")

    def sql(self, query: str, *arguments: object, database: str = "ledger") -> list[Any]:
        return asyncio.run(self._sql(query, arguments, database))

    async def _sql(self, query: str, arguments: tuple[object, ...], database: str) -> list[Any]:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=PASSWORD, database=database,
            server_settings={"default_transaction_read_only": "off"},
        )  # fmt: skip
        try:
            if arguments or query.startswith("SELECT"):
                return list(await connection.fetch(query, *arguments))
            await connection.execute(query)
            return []
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        uid, gid = binaries.run_as() or (None, None)
        with (self._home / f"{program}.out").open("ab") as out:  # a pipe would stay open in the server
            subprocess.run(
                [self._bin / program, "-D", self._home / "base", *arguments],
                user=uid, group=gid, extra_groups=None if uid is None else [],
                cwd=self._home, check=True, stdout=out, stderr=out,
            )  # fmt: skip


class Wires:
    """A relay between the task and what it depends on."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "staging.local.network.relay", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], cwd=ROOT,
            )  # fmt: skip
        self._answers = self._control.makefile("rb")

    def lay(self, name: str, port: int) -> str:
        wire = {"host": "127.0.0.1", "target": ["127.0.0.1", port], "ends": [name], "delay_s": 0}
        return f"127.0.0.1:{self._order({'open': wire})['port']}"

    def darken(self, *names: str) -> None:
        self._order({"dark": names})

    def close(self) -> None:
        self._answers.close()
        self._control.close()
        self._process.wait(10)

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        self._control.sendall(json.dumps(order).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


class World(NamedTuple):
    """What one task depends on."""

    postgres: Postgres
    wires: Wires
    cache_port: int
    aws_endpoint: str
    environment: dict[str, str]

    def aws(self, service: str) -> Any:
        session = botocore.session.Session()
        session.set_credentials("test", "test")
        return session.create_client(service, region_name="us-east-1", endpoint_url=self.aws_endpoint)

    def receipts(self, task: str) -> list[object]:
        s3 = self.aws("s3")
        held = s3.list_objects_v2(Bucket="receipts", Prefix="receipts/").get("Contents", [])
        keys = [page["Key"] for page in held if f"/{task}-" in page["Key"]]
        bodies = [s3.get_object(Bucket="receipts", Key=key)["Body"].read() for key in keys]
        return [json.loads(line) for body in bodies for line in body.splitlines()]


class Task:
    """A running task, and a client of it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.name = environment["TASK_ID"]
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "staging.local.bank"],
            env={**os.environ, **environment}, cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def port(self) -> int:
        return int(self.line("started", within_s=20)["listen"].rpartition(":")[2])

    def line(self, event: str, within_s: float = 5, **fields: object) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = (x for x in tuple(self.lines) if x["event"] == event and fields.items() <= x.items())
            return next(found, None)

        return wait_until(look, within_s=within_s, what=f"the line {event!r}", every_s=0.02)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "",
        key: str = "",
        deadline_s: float = 5,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=deadline_s)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read()), answer.headers)
        finally:
            connection.close()

    def login(self, account: int) -> str:
        answer = self.ask("POST", "/login", {"account": account, "pin": f"{account:04d}"})
        assert answer.status == 200, answer
        return str(answer.body["token"])

    def transfer(self, token: str, key: str, debit: int, credit: int, cents: int) -> Answer:
        body = {"debit": debit, "credit": credit, "cents": cents}
        return self.ask("POST", "/transfers", body, token=token, key=key)

    def balance(self, token: str, account: int) -> Answer:
        return self.ask("GET", f"/accounts/{account}/balance", token=token)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(10)
        self._listener.join(10)
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(json.loads(line))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="bank-"))  # pytest's own is closed to the user of PostgreSQL
    binaries.own(home)
    postgres, wires, cache_port = Postgres(home), Wires(), free_port()
    cache = subprocess.Popen(
        [binaries.valkey_bin(), "--port", str(cache_port), "--save", "", "--bind", "127.0.0.1"],
        cwd=home, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    # in a process of its own: in ours, the next test that mocks AWS would empty it
    aws_port = free_port()
    moto = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(aws_port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: answers(cache_port), within_s=10, what="the cache")
        wait_until(lambda: answers(aws_port), within_s=30, what="AWS")
        yield furnished(postgres, wires, cache_port, aws_port)
    finally:
        moto.terminate()
        moto.wait(10)
        cache.terminate()
        cache.wait(10)
        wires.close()
        postgres.crash()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def shared(world: World) -> Iterator[Task]:
    """Give a task to all those who do it no harm."""
    task = Task({**world.environment, "TASK_ID": "task-shared"})
    yield task
    assert task.stop() == 0


@pytest.fixture
def start(world: World) -> Iterator[Callable[..., Task]]:
    """Start tasks with this environment on top of the usual one; at the end all wires are light again."""
    tasks: list[Task] = []

    def started(**environment: str) -> Task:
        task_id = f"task-{time.monotonic_ns()}"
        tasks.append(Task({**world.environment, "TASK_ID": task_id, **environment}))
        return tasks[-1]

    yield started
    world.wires.darken()
    for task in tasks:
        task.stop()


@pytest.fixture
def task(start: Callable[..., Task]) -> Task:
    return start()


def furnished(postgres: Postgres, wires: Wires, cache_port: int, aws_port: int) -> World:
    environment = {
        "LISTEN_HOST": "127.0.0.1", "LISTEN_PORT": "0", "AZ": "us-east-1a",
        "LEDGER_WRITER": wires.lay("writer", postgres.port),
        "LEDGER_READER": wires.lay("reader", postgres.port),
        "LEDGER_DATABASE": "ledger", "CACHE": wires.lay("cache", cache_port),
        "AWS_ENDPOINT_URL": f"http://{wires.lay('aws', aws_port)}", "AWS_REGION": "us-east-1",
        "SESSION_TABLE": "sessions", "RECEIPT_BUCKET": "receipts", "SECRET_ID": "ledger/password",
    }  # fmt: skip
    world = World(postgres, wires, cache_port, f"http://127.0.0.1:{aws_port}", environment)
    world.aws("dynamodb").create_table(
        TableName="sessions", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "token", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "token", "AttributeType": "S"}],
    )  # fmt: skip
    world.aws("s3").create_bucket(Bucket="receipts")
    secret = json.dumps({"username": "bank", "password": PASSWORD})
    world.aws("secretsmanager").create_secret(Name="ledger/password", SecretString=secret)
    return world


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as knocker:
        return knocker.connect_ex(("127.0.0.1", port)) == 0
