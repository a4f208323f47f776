"""Watch the writer and its reader; promote, degrade and bring home as Aurora would."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from staging.local.aurora.homecoming import RoadClosedError, come_home
from staging.local.aurora.link import NoAnswerError
from staging.local.aurora.look import look
from staging.local.aurora.signposts import Signposts
from staging.local.aurora.state import (
    AuroraEvent,
    ClusterStatus,
    Endpoints,
    FailoverRefusedError,
)
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from staging.local.aurora.instance import Instance

log = logging.getLogger("staging.local.aurora")

# In the words of RDS.
STARTED = "Started cross AZ failover to DB instance: {}"
COMPLETED = "Completed failover to DB instance: {}"
FAILED = "Cluster failover failed. Check the status of your cluster instances and try again."
DEMOTED = "A new writer was promoted. Restarting database as a reader."
RESTARTED = "DB instance restarted"
SHUT_DOWN = "DB instance shutdown"

PROMOTE_S = 15.0
RETRY_S = 1.0


class Controller:
    """Decides. `turn` is held by whoever is deciding: the loop, or an operator's call."""

    def __init__(
        self, name: str, writer: Instance, endpoints: Endpoints, on_event: Callable[[AuroraEvent], None]
    ) -> None:
        self.name = name
        self.settings = writer.site.settings
        self.writer = writer
        self.reader: Instance | None = None
        self.status: ClusterStatus = "creating"
        self.turn = asyncio.Lock()
        self.signposts = Signposts(endpoints, stuck=self.settings.endpoint_not_following)
        self._on_event = on_event
        self._homecoming: asyncio.Task[None] | None = None
        self._lost_since: float | None = None  # since when the writer has been lost

    @property
    def members(self) -> tuple[Instance, ...]:
        """The writer, then the reader if there is one."""
        return (self.writer,) if self.reader is None else (self.writer, self.reader)

    async def watch(self) -> None:
        """Look and decide, for ever."""
        while True:
            began = time.monotonic()
            try:
                async with self.turn:
                    await self._look()
                    await self._decide()
            except Exception:
                log.exception("watch.error")
            await asyncio.sleep(max(0.0, began + self.settings.probe_interval_s - time.monotonic()))

    async def _look(self) -> None:
        await asyncio.gather(*(self.look_at(instance) for instance in self.members))
        if self.reader is not None and self.writer.seen is not None:
            missing = not self.writer.seen.streaming
            self.reader.stream_misses = self.reader.stream_misses + 1 if missing else 0

    async def look_at(self, instance: Instance) -> None:
        """Note what one look at it shows, or that it shows nothing."""
        instance.seen = None
        try:
            if not instance.exited:
                instance.seen = await look(instance.probe, within_s=self.settings.probe_timeout_s)
        except NoAnswerError as error:
            if instance.status == "available":
                log.warning("probe.miss id=%s misses=%s error=%s", instance.id, instance.misses + 1, error)
        instance.misses = 0 if instance.seen else instance.misses + 1

    async def _decide(self) -> None:
        if self.writer.lost:
            await self._replace_writer()
        elif self.writer.seen is not None:
            await self._keep_writer()
            if self.reader is not None:
                await self._keep_reader(self.reader)
        await self.point()

    async def point(self) -> None:
        """Have the endpoints follow this cluster for as long as it bears the name that they follow."""
        if self.name == self.settings.cluster:
            await self.signposts.follow(self.writer, self.reader)
        else:
            await self.signposts.remove()

    # The writer.

    async def _keep_writer(self) -> None:
        writer, self._lost_since = self.writer, None
        if writer.seen is not None and writer.seen.in_recovery:
            await self._promote()  # its promotion was cut short
        if writer.status != "available":
            writer.status = "available"
            self._welcome(writer)

    async def _replace_writer(self) -> None:
        if not self.writer.exited and self.writer.status == "available":
            self.writer.status = "unreachable"
        if self.settings.failover_never_triggered:
            if self._dead_for_s() > self.settings.unattended_restart_s:
                await self._restart_writer()
        elif self.fit() and self.reader is not None and self.reader.seen is not None:
            if self._lost_for_s() >= self.settings.failover_delay_s:
                await self.fail_over("automatic")
        elif self.writer.exited and not self.fit():
            await self._restart_writer()

    def fit(self) -> bool:
        """Whether there is a reader whose promotion loses nothing; the planted defect does not care."""
        reader = self.reader
        if reader is None or reader.lost:
            return False
        return reader.in_sync or (self.settings.async_standby and reader.home)

    def _lost_for_s(self) -> float:
        self._lost_since = self._lost_since or time.monotonic()
        return time.monotonic() - self._lost_since

    def _dead_for_s(self) -> float:
        ended_at = self.writer.ended_at
        return time.monotonic() - ended_at if self.writer.exited and ended_at is not None else 0.0

    async def _restart_writer(self) -> None:
        writer = self.writer
        if time.monotonic() - writer.started_at < RETRY_S:
            return
        log.warning("writer.restart id=%s", writer.id)
        await writer.fence()
        writer.start()

    # Failing over.

    def require_candidate(self, target: str | None) -> None:
        """Raise unless this failover makes sense and would lose nothing."""
        reader, cluster = self.reader, self.name
        if target not in {None, *(member.id for member in self.members)}:
            raise FailoverRefusedError(f"DBInstance {target} is no member of cluster {cluster}")
        if target == self.writer.id:
            raise FailoverRefusedError(f"DBInstance {target} is the writer of cluster {cluster} already")
        if self.status != "available":
            raise FailoverRefusedError(f"cluster {cluster} is {self.status}")
        if reader is None:
            raise FailoverRefusedError(f"cluster {cluster} has no reader")
        if not self.fit():
            raise FailoverRefusedError(
                f"DBInstance {reader.id} is not in sync: promoting it would lose writes"
            )

    async def require_answer(self) -> None:
        """Raise unless the reader answers now."""
        reader = self._required_reader()
        try:
            await look(reader.probe, within_s=self.settings.probe_timeout_s)
        except NoAnswerError as error:
            raise FailoverRefusedError(f"DBInstance {reader.id} does not answer") from error

    async def fail_over(self, cause: str) -> None:
        """Kill the writer, promote the reader, swap their roles. Called with `turn` held."""
        old, new = self.writer, self._required_reader()
        log.warning("failover.start from=%s to=%s cause=%s", old.id, new.id, cause)
        self.status = old.status = new.status = "failing-over"
        self.announce(self.name, STARTED.format(new.id), "failover")
        try:
            await old.fence()  # whatever it would still acknowledge, nobody would have
            self._swap(old, new)
            await self._promote()
            await self.point()
        except Exception:
            self.announce(self.name, FAILED, "failover")
            raise
        finally:
            self.status = "available"
        new.status = "available"
        self.announce(self.name, COMPLETED.format(new.id), "failover")
        self.announce(old.id, DEMOTED, "")

    def _required_reader(self) -> Instance:
        if self.reader is None:
            raise FailoverRefusedError(f"cluster {self.name} has no reader")
        return self.reader

    def _swap(self, old: Instance, new: Instance) -> None:
        self.writer, self.reader = new, old
        new.role, old.role = "writer", "reader"
        new.home = new.in_sync = old.home = old.in_sync = False
        old.status, old.way, old.seen = "starting", "rewind", None
        new.configure()  # it awaits nobody; and what is still on a delayed way must not arrive

    async def _promote(self) -> None:
        await self.writer.probe.ask("SELECT pg_promote(false)", within_s=PROMOTE_S)
        await until(self._writable, f"{self.writer.id} is writable", within_s=PROMOTE_S, every_s=0.01)

    async def _writable(self) -> bool:
        await self.look_at(self.writer)
        return self.writer.seen is not None and not self.writer.seen.in_recovery

    # The reader.

    async def _keep_reader(self, reader: Instance) -> None:
        misses = self.settings.misses
        gone = reader.lost or reader.stream_misses >= misses
        if gone and (reader.home or self.writer.awaits):
            await self.degrade(reader)
        if not reader.home and self._homecoming is None:
            self._homecoming = asyncio.create_task(self._bring_home(reader))

    async def degrade(self, reader: Instance) -> None:
        """Let commits go on without the reader, which from here on may lack some."""
        log.warning("reader.degrade id=%s", reader.id)
        reader.home = reader.in_sync = False
        reader.status = "starting" if reader.exited else "unreachable"
        await self.stop_homecoming()
        self.writer.configure()

    async def stop_homecoming(self) -> None:
        """End the attempt to bring the reader home; the loop starts another."""
        if self._homecoming is not None:
            self._homecoming.cancel()
            await asyncio.wait({self._homecoming})
            self._homecoming = None

    async def dismiss(self, reader: Instance) -> None:
        """Let commits go on without the reader, for good. Called with `turn` held."""
        await self.degrade(reader)
        self.reader = None
        await self.point()

    async def _bring_home(self, reader: Instance) -> None:
        try:
            await come_home(reader, self.writer)
            self._welcome(reader)
        except RoadClosedError as error:
            reader.status = "unreachable"
            log.info("reader.away id=%s error=%s", reader.id, error)
            await asyncio.sleep(RETRY_S)
        except Exception:
            log.exception("reader.away id=%s", reader.id)
            await asyncio.sleep(RETRY_S)
        finally:
            self._homecoming = None

    # Telling.

    def _welcome(self, instance: Instance) -> None:
        if instance.restarted:
            instance.restarted = False
            self.announce(instance.id, RESTARTED, "availability")

    def announce(self, source: str, message: str, category: str) -> None:
        """Tell the listener, and the log."""
        kind: Literal["db-cluster", "db-instance"] = "db-instance"
        if source == self.name:
            kind = "db-cluster"
        log.info("event source=%s message=%r", source, message)
        self._on_event(AuroraEvent(source, kind, message, category, datetime.now(UTC), time.monotonic_ns()))
