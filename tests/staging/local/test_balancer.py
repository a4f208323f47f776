"""The load balancer, with real HAProxy and small real servers behind it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psutil
import pytest

from staging.local.balancer import Balancer
from staging.local.balancer_config import BalancerTimings
from staging.local.balancer_runtime import BalancerError
from staging.local.network.wires import Wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.local

PATIENCE_S = 20.0
TIMINGS = BalancerTimings(check_interval_s=0.1, check_timeout_s=0.2, answer_timeout_s=15.0, hangs_s=2.0)


@dataclass
class Site:
    """An HTTP server that says its name, and whose health and answers a test can change."""

    name: str
    health: int = 200
    status: int = 200
    port: int = 0
    checks: int = 0
    heard: list[str] = field(default_factory=list)
    awake: asyncio.Event = field(default_factory=asyncio.Event)  # answers nothing while it is not
    slow: asyncio.Event = field(default_factory=asyncio.Event)  # set when /slow may be answered

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                await self._answer(head.split(" ", 2), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def hears(self, request: str) -> None:
        async def heard() -> bool:
            return request in self.heard

        await eventually(heard)

    async def _answer(self, head: list[str], writer: asyncio.StreamWriter) -> None:
        verb, path, _ = head
        checked = path == "/health/live"
        self.checks += checked
        if not checked:
            self.heard.append(f"{verb} {path}")
        await self.awake.wait()
        if path == "/slow":
            await self.slow.wait()
        if path == "/hang-up":
            raise ConnectionError
        status = self.health if checked else self.status
        body = self.name.encode()
        writer.write(b"HTTP/1.1 %d Fine\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


@asynccontextmanager
async def site(name: str) -> AsyncIterator[Site]:
    here = Site(name)
    here.awake.set()
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        here.awake.set()
        server.close()


@dataclass
class World:
    """A running balancer and the way to its front."""

    balancer: Balancer
    front: tuple[str, int]
    network: Wires

    async def get(self, path: str = "/", verb: str = "GET") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection(*self.front)
        try:
            headers = "Host: x\r\nContent-Length: 0\r\nConnection: close"
            writer.write(f"{verb} {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
            head, _, body = (await asyncio.wait_for(reader.read(), PATIENCE_S)).partition(b"\r\n\r\n")
            return int(head.split(b" ")[1]), body.decode()
        finally:
            writer.close()

    async def register(self, *sites: Site) -> None:
        for here in sites:
            await self.balancer.add_target(here.name, "127.0.0.1", here.port)
        for here in sites:
            await self.until(here.name, "healthy")

    async def until(self, name: str, state: str) -> str:
        async def reached() -> bool:
            return (await self.balancer.health())[name].state == state

        await eventually(reached)
        return (await self.balancer.health())[name].reason


@pytest.fixture
def network() -> Iterator[Wires]:
    wires = Wires()
    wires.start()
    yield wires
    wires.stop()


@asynccontextmanager
async def world(network: Wires, directory: Path, timings: BalancerTimings) -> AsyncIterator[World]:
    with network.outside() as front:
        balancer = Balancer(network, directory, front=front, endpoints=["ledger-writer"], timings=timings)
        await balancer.start()
        try:
            yield World(balancer, front.getsockname(), network)
        finally:
            await balancer.stop()


def play(
    network: Wires,
    directory: Path,
    story: Callable[[World], Awaitable[None]],
    timings: BalancerTimings = TIMINGS,
) -> None:
    async def whole() -> None:
        async with world(network, directory, timings) as here:
            await story(here)

    asyncio.run(whole())


def test_healthy_targets_share_the_requests(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        assert (await here.get())[0] == 503  # nobody is there yet
        async with site("a") as a, site("b") as b:
            await here.register(a, b)

            assert {await here.get() for _ in range(6)} == {(200, "a"), (200, "b")}

    play(network, tmp_path, story)


def test_planted_a_target_gets_requests_before_it_listens(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        await here.balancer.add_target("nobody", "127.0.0.1", 1)

        assert (await here.balancer.health())["nobody"].state == "healthy"
        assert (await here.get())[0] == 503

    play(network, tmp_path, story, replace(TIMINGS, waits_for_health=False))


def test_planted_a_target_that_does_not_listen_yet_is_ill_only_after_as_many_checks_as_any(
    network: Wires, tmp_path: Path
) -> None:
    async def story(here: World) -> None:
        async with site("a") as a:
            a.health = 503
            await here.balancer.add_target("a", "127.0.0.1", a.port)
            await here.until("a", "unhealthy")

            assert a.checks >= 3

    play(network, tmp_path, story, replace(TIMINGS, waits_for_health=False, unhealthy_threshold=3))


def test_a_target_gets_nothing_before_it_is_healthy(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            b.health = 503
            await here.register(a)
            await here.balancer.add_target("b", "127.0.0.1", b.port)
            states = [(await here.balancer.health())["b"].state]
            reason = await here.until("b", "unhealthy")

            assert states == ["initial"]
            assert reason == "Target.ResponseCodeMismatch"
            assert {await here.get() for _ in range(4)} == {(200, "a")}
            b.health = 200
            await here.until("b", "healthy")

    play(network, tmp_path, story)


def test_a_request_that_hangs_ends_when_its_target_is_found_dead(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a)
            a.awake.clear()
            hanging = asyncio.create_task(here.get())
            reason = await here.until("a", "unhealthy")
            status, _ = await hanging
            await here.register(b)

            assert reason == "Target.Timeout"
            assert status >= 500
            assert await here.get() == (200, "b")

    play(network, tmp_path, story)


def test_draining_lets_a_request_finish_and_sends_no_other(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a)
            under_way = asyncio.create_task(here.get("/slow"))
            await a.hears("GET /slow")
            await here.balancer.drain("a")
            await here.register(b)
            meanwhile = {await here.get() for _ in range(4)}
            state = (await here.balancer.health())["a"].state
            a.slow.set()

            assert meanwhile == {(200, "b")}
            assert state == "draining"
            assert await under_way == (200, "a")

    play(network, tmp_path, story)


def test_a_removed_target_makes_room_for_another(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a)
            under_way = asyncio.create_task(here.get("/slow"))
            await a.hears("GET /slow")
            await here.balancer.remove("a")
            await here.register(b)

            assert (await under_way)[0] >= 500
            assert list(await here.balancer.health()) == ["b"]
            assert await here.get() == (200, "b")

    play(network, tmp_path, story)


def test_a_request_is_never_sent_twice(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("a") as a, site("b") as b:
            await here.register(a, b)
            status, _ = await here.get("/hang-up", "POST")

            assert status >= 500
            assert [*a.heard, *b.heard] == ["POST /hang-up"]

    play(network, tmp_path, story)


def test_figures_tell_whose_errors_they_were(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        await here.get()  # answered by the balancer, there being no target
        async with site("a") as a:
            await here.register(a)
            await here.get()
            a.status = 500
            await here.get()
            first, second = await here.balancer.figures(), await here.balancer.figures()

            assert (first.requests, first.http_5xx_target, first.http_5xx_alb) == (3, 1, 1)
            assert first.seconds > 0
            assert (second.requests, second.http_5xx_target, second.http_5xx_alb) == (0, 0, 0)

    play(network, tmp_path, story)


def test_a_target_has_one_name(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        await here.balancer.add_target("a", "127.0.0.1", 1)

        with pytest.raises(ValueError, match="a is a target already"):
            await here.balancer.add_target("a", "127.0.0.1", 2)
        with pytest.raises(ValueError, match="b is no target"):
            await here.balancer.remove("b")

    play(network, tmp_path, story)


def test_an_endpoint_leads_new_connections_only(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        place = here.network.route("app-a", here.balancer.endpoint("ledger-writer"))
        async with site("old") as old, site("new") as new:
            assert await ask(place) == ""
            await here.balancer.point("ledger-writer", "127.0.0.1", old.port)
            established = await asyncio.open_connection(*place)
            assert await say(*established) == "old"
            await here.balancer.point("ledger-writer", "127.0.0.1", new.port)

            assert await ask(place) == "new"
            assert await say(*established) == "old"
            await here.balancer.unpoint("ledger-writer")
            assert await ask(place) == ""
            assert await say(*established) == "old"
            established[1].close()

    play(network, tmp_path, story)


def test_customers_are_led_to_the_other_region_and_into_the_dark(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        async with site("east") as east, site("west") as west:
            await here.register(east)
            await here.balancer.standby.add_target("west", "127.0.0.1", west.port)

            async def is_healthy() -> bool:
                return (await here.balancer.standby.health())["west"].state == "healthy"

            await eventually(is_healthy)
            assert (await here.get())[1] == "east"
            await here.balancer.figures()

            await here.balancer.lead_customers("standby")
            assert (await here.get())[1] == "west"
            await here.balancer.lead_customers("dark")
            asked = asyncio.create_task(here.get())
            done, _ = await asyncio.wait({asked}, timeout=1.0)
            asked.cancel()
            await here.balancer.lead_customers("home")

            assert not done  # nobody answers, and nobody refuses either
            assert (await here.get())[1] == "east"
            assert (await here.balancer.figures()).requests == 1  # the others went elsewhere

    play(network, tmp_path, story)


def test_connections_of_customers_who_gave_up_in_the_dark_are_not_kept(
    network: Wires, tmp_path: Path
) -> None:
    async def story(here: World) -> None:
        balancer = psutil.Process(here.balancer.pid)
        await here.balancer.lead_customers("dark")
        await asyncio.gather(*(given_up(here) for _ in range(20)))

        async def none_is_left() -> bool:
            return "CLOSE_WAIT" not in {one.status for one in balancer.net_connections("tcp")}

        kept = not await none_is_left()
        await eventually(none_is_left)

        assert kept  # else this would have shown nothing

    play(network, tmp_path, story)


async def given_up(here: World) -> None:
    """Ask, and go away without an answer."""
    with suppress(TimeoutError):
        await asyncio.wait_for(here.get(), 0.3)


def test_what_haproxy_refuses_is_an_error(network: Wires, tmp_path: Path) -> None:
    async def story(here: World) -> None:
        with pytest.raises(BalancerError, match="No such backend"):
            await here.balancer.point("ledger-archive", "127.0.0.1", 1)

    play(network, tmp_path, story)


def test_a_balancer_that_cannot_start_says_so(network: Wires, tmp_path: Path) -> None:
    async def story() -> None:
        with network.outside() as front:
            balancer = Balancer(network, tmp_path, front=front, endpoints=["ledger-writer"])
            address = balancer.endpoint("ledger-writer")
            taken = socket.create_server((address.host, address.port))
            with taken, pytest.raises(BalancerError, match="did not start"):
                await balancer.start()

    asyncio.run(story())


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what we wait for is in other processes
            await asyncio.sleep(0.02)


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Ask once over an established connection; nothing if it has been closed."""
    try:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        return (await reader.readexactly(int(head.split(b"Length: ")[1]))).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


async def ask(place: tuple[str, int]) -> str:
    reader, writer = await asyncio.open_connection(*place)
    try:
        return await say(reader, writer)
    finally:
        writer.close()
