"""One node of the cache: a Valkey server that keeps nothing on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from staging.local.binaries import valkey_bin

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen

    from staging.local.network import Network

_MEMORY = "64mb"
_GIVE_UP_REPLICATION_S = 3  # then it tries anew: a dark subnet would keep one attempt hanging for minutes


class NodeError(RuntimeError):
    """A node does not answer, or refuses."""


@dataclass(frozen=True)
class Role:
    """What a node says of itself."""

    primary: bool
    in_step: bool  # a primary always is; a replica when it has received everything


class Node:
    """Starts, asks and kills one Valkey server."""

    def __init__(
        self, network: Network, name: str, subnet: str, directory: Path, *, timeout_s: float
    ) -> None:
        self.name = name
        self.subnet = subnet
        self.address = network.listener(subnet)
        self._network = network
        self._directory = directory / name
        self._timeout_s = timeout_s
        self._process: Popen[bytes] | None = None
        self._client: Redis | None = None

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, primary: Node | None = None) -> None:
        """Start it empty, as a primary or as the replica of one."""
        self._directory.mkdir(parents=True, exist_ok=True)
        log = self._directory / "valkey.log"
        argv = [str(valkey_bin()), *self._options(), *self._replication(primary)]
        self._process = self._network.spawn(self.subnet, argv, cwd=self._directory, log=log)

    async def role(self) -> Role:
        """Ask whether it is primary or replica: this is also what shows that it lives."""
        answer = await self._ask("ROLE")
        if answer[0] in {b"master", "master"}:
            return Role(primary=True, in_step=True)
        return Role(primary=False, in_step=answer[3] in {b"connected", "connected"})

    async def promote(self) -> None:
        """Make it a primary."""
        await self._ask("REPLICAOF", "NO", "ONE")

    def kill(self) -> None:
        """End it now; whatever its subnet's state, its process is ours."""
        if self._process:
            self._process.kill()
            self._process.wait()

    async def disconnect(self) -> None:
        """Forget the connection to it."""
        if self._client:
            client, self._client = self._client, None
            await client.aclose()

    async def _ask(self, *words: str) -> Any:
        client: Any = self._connected()
        try:
            return await client.execute_command(*words)
        except (RedisError, OSError) as error:
            await self.disconnect()  # the next attempt must not wait for what this one left behind
            raise NodeError(f"{self.name}: {error}") from error

    def _connected(self) -> Redis:
        if self._client is None:
            host, port = self._network.route("public", self.address)
            self._client = Redis(
                host=host,
                port=port,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                retry=Retry(NoBackoff(), 0),
                single_connection_client=True,
            )
        return self._client

    def _options(self) -> list[str]:
        return [
            *("--bind", self.address.host, "--port", str(self.address.port)),
            *("--protected-mode", "no", "--daemonize", "no", "--loglevel", "notice"),
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory", _MEMORY, "--maxmemory-policy", "allkeys-lru"),
            *("--repl-diskless-sync-delay", "0", "--repl-diskless-load", "on-empty-db"),
            *("--repl-timeout", str(_GIVE_UP_REPLICATION_S), "--repl-ping-replica-period", "1"),
        ]

    def _replication(self, primary: Node | None) -> list[str]:
        if primary is None:
            return []
        host, port = self._network.route(self.subnet, primary.address)
        return ["--replicaof", host, str(port)]
