"""One PostgreSQL server of the cluster: its files, its process, and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from staging.local import binaries
from staging.local.aurora import config, programs, remains
from staging.local.aurora.link import Link
from staging.local.aurora.state import AuroraError, Member, MemberStatus, Role
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from subprocess import Popen

    from staging.local.aurora.look import Look
    from staging.local.aurora.site import Site
    from staging.local.network import Address

log = logging.getLogger("staging.local.aurora")

# How a reader gets to where the writer is: stream on from what it has, rewind first, or copy everything.
Way = Literal["stream", "rewind", "copy"]


class Instance:
    """One server. What the controller knows of it is kept here; what it decides is not."""

    def __init__(self, site: Site, place: str, name: str, subnet: str, role: Role) -> None:
        self.site = site
        self.place = place  # what the servers call it among themselves; `id` can change
        self.id = name
        self.subnet = subnet
        self.role: Role = role
        self.status: MemberStatus = "starting"
        self.way: Way = "copy"
        self.home = False  # a reader: streams, and counts as a member
        self.in_sync = False
        self.awaits: str | None = None  # a writer: the standby that its commits wait for
        self.seen: Look | None = None
        self.restarted = False  # and nobody has been told yet
        self.misses = 0
        self.stream_misses = 0
        self.address: Address = site.network.listener(subnet)
        self.directory = site.directory / place
        self.data = self.directory / "data"
        self.config = self.directory / "postgresql.conf"
        self.log = self.directory / "postgresql.log"
        self.process: Popen[bytes] | None = None
        self._killing = threading.Lock()
        self.started_at = 0.0
        self.ended_at: float | None = None
        self.probe = self.link()

    def link(self) -> Link:
        """Return a new way to ask this server as superuser."""
        return Link(*self.site.network.route("public", self.address), self.site.password)

    def prepare(self, data: Path | None = None) -> None:
        """Make the directory, as the server's own user will need it, and move data there if there are any."""
        self.directory.mkdir(mode=0o700)
        if data is None:
            self.data.mkdir(mode=0o700)
        else:
            data.rename(self.data)
        (self.directory / "pg_hba.conf").write_text(config.access_rules(self.site.settings))
        self.configure()
        for path in (self.directory, *self.directory.iterdir()):
            binaries.own(path)

    def configure(
        self,
        *,
        awaits: str | None = None,
        follows: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Write the configuration, and have a running server read it again."""
        settings = config.server_settings(
            self.address,
            self.id,
            self.site.settings,
            awaits=awaits,
            follows=follows,
            archive=self.site.archive,
        )
        settings |= more or {}
        settings["hba_file"] = str(self.directory / "pg_hba.conf")
        draft = self.config.with_suffix(".draft")
        draft.write_text(config.rendered(settings))
        binaries.own(draft)
        draft.replace(self.config)
        self.awaits = awaits
        self._signal(signal.SIGHUP)

    def follow(self, writer: Instance) -> None:
        """Configure it as the standby of `writer`."""
        road = self.road(writer, delayed=self.site.settings.async_standby)
        # the name is what `synchronous_standby_names` asks for: copies and rewinds must not bear it
        self.configure(follows=f"{road} application_name={self.place}")

    def road(self, writer: Instance, *, delayed: bool = False) -> str:
        """Return the conninfo by which this server reaches the writer."""
        network, settings = self.site.network, self.site.settings
        if delayed:
            host, port = network.delay(self.subnet, writer.address, settings.replication_delay_s)
        else:
            host, port = network.route(self.subnet, writer.address)
        return config.conninfo(host, port, self.site.passfile, patient=delayed)

    def start(self) -> None:
        """Start the server process. Called in the event loop's own thread, with which the process dies."""
        self.status = "starting"
        self.misses = self.stream_misses = 0
        self.seen = None
        self.restarted = self.started_at > 0
        self.started_at, self.ended_at = time.monotonic(), None
        argv = [
            str(self.site.programs / "postgres"),
            "-D",
            str(self.data),
            "-c",
            f"config_file={self.config}",
        ]
        self.process = self.site.network.spawn(
            self.subnet, argv, cwd=self.directory, log=self.log, unprivileged=True
        )
        log.info("instance.start id=%s pid=%s role=%s", self.id, self.process.pid, self.role)

    @property
    def exited(self) -> bool:
        """Whether the server process has ended."""
        if self.process is not None and self.process.poll() is None:
            return False
        self.ended_at = self.ended_at or time.monotonic()
        return True

    @property
    def lost(self) -> bool:
        """Whether it is dead, or has not answered for too long."""
        return self.exited or self.misses >= self.site.settings.misses

    async def fence(self) -> None:
        """Kill every process of the server at once: from here on, it can acknowledge nothing."""
        log.info("instance.fence id=%s", self.id)
        self.probe.cut()
        await asyncio.to_thread(self._kill)

    async def shut(self, how: signal.Signals, *, within_s: float) -> None:
        """Ask the server to end; kill what has not ended in time."""
        self._signal(how)
        with suppress(AuroraError):
            await until(self._ended, f"{self.id} ends", within_s=within_s)
        await self.fence()

    def remove(self) -> None:
        """Remove all its files."""
        shutil.rmtree(self.directory)

    async def clear(self) -> None:
        """Empty the data directory, for a fresh copy."""
        await asyncio.to_thread(shutil.rmtree, self.data)
        self.data.mkdir(mode=0o700)
        binaries.own(self.data)

    def mark_standby(self) -> None:
        """Tell the server's next start to follow instead of to write."""
        flag = self.data / "standby.signal"
        flag.touch(mode=0o600)
        binaries.own(flag)

    def member(self) -> Member:
        """Return what to say of it."""
        in_sync = self.in_sync or self.role == "writer"
        return Member(self.id, self.subnet, self.role, self.status, in_sync, self.address)

    async def run(self, program: str, *arguments: str, within_s: float) -> int:
        """Run one of PostgreSQL's programs inside this server's subnet; return its exit status."""
        log_file = self.directory / "programs.log"
        return await programs.run(
            self.site, self.subnet, program, *arguments, cwd=self.directory, log=log_file, within_s=within_s
        )

    def _kill(self) -> None:
        # whoever starts it again fences it first, and so waits for a killing that goes on unattended
        with self._killing:
            remains.kill(self.process, self.directory)

    async def _ended(self) -> bool:
        return self.exited

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
