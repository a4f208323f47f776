"""The process of the local staging: `python -m staging.local.host --state-dir DIR ...`.

Prints one JSON line per step; after {"step": "healthy"} it says nothing more on stdout. SIGTERM or SIGINT,
or the end of its owner, stops it in order. When it cannot start: {"error": ...}, exit code 2, nothing left.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import psutil

from staging.local import state_file
from staging.local.double import Double
from staging.local.network.choose import choose
from staging.local.options import parse
from staging.local.state_file import DATA_PREFIX, Known, State

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from staging.local.network import Network
    from staging.local.options import Options

log = logging.getLogger("staging.local")

BAD_START = 2
_NICE = 5  # the load generator must keep its time; the double's CPU is not what is judged
_LOOK_S = 1.0
_ROOM_MB = 400  # a fresh staging takes 140 MB, and its write-ahead logs grow under load
_LOG_TAIL = 2000


class AlreadyRunningError(RuntimeError):
    """Another host serves this state directory."""


def main() -> int:
    """Run until told to stop; return the exit code."""
    state_dir, options = parse()
    try:
        with _sole_host(state_dir):
            return _run(state_dir, options)
    except Exception as error:
        log.exception("the local staging could not start")
        _say(error=in_words(error))
        return BAD_START


def _run(state_dir: Path, options: Options) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    # moto would load a second's worth of machine images
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    _yield_to_the_load()
    _require_room()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _give_up)  # until the event loop takes over
    directory = Path(tempfile.mkdtemp(prefix=DATA_PREFIX))
    directory.chmod(0o755)  # PostgreSQL's user must get through
    state = State(host=Known.of(psutil.Process()), data_dir=str(directory))
    try:
        # before the network, which may take this process away from the machine's own loopback
        front = _front_door(options.port)
        state_file.write(state_dir, state)
        _say(step="network")
        network = choose(options.isolation)
        try:
            network.start()
            asyncio.run(Host(network, options, state_dir, state, front).serve())
        finally:
            network.stop()
    except Exception:
        _save_logs(directory)
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        state_file.remove(state_dir)
    return 0


def _give_up(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _require_room() -> None:
    """Refuse before anything is started; half-way, each program would have its own way to complain."""
    place = tempfile.gettempdir()
    free_mb = shutil.disk_usage(place).free >> 20
    if free_mb < _ROOM_MB:
        raise OSError(errno.ENOSPC, f"{_ROOM_MB} MB are needed in {place}, {free_mb} MB are free")


def _save_logs(directory: Path) -> None:
    """Keep what the failed parts said: their logs are about to be removed with the rest."""
    for path in sorted(directory.rglob("*.log")):
        said = path.read_text(errors="replace")[-_LOG_TAIL:]
        log.error("%s:\n%s", path.relative_to(directory), said)


class Host:
    """Starts the double, keeps the state file true, and waits for the end."""

    def __init__(
        self, network: Network, options: Options, state_dir: Path, state: State, front: socket.socket
    ) -> None:
        self._double = Double(network, options, Path(state.data_dir), state_dir, front)
        self._options = options
        self._state_dir = state_dir
        self._state = state
        self._end = asyncio.Event()

    async def serve(self) -> None:
        """Be the staging until told to stop; whatever happens, stop in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        watch = asyncio.create_task(self._watch())
        try:
            await self._unless_told_to_stop(self._start())
            await self._end.wait()
        finally:
            log.info("host.stopping")
            watch.cancel()
            await self._double.stop()
            log.info("host.stopped")

    async def _start(self) -> None:
        await self._double.start(lambda step: _say(step=step))
        facts = await asyncio.to_thread(self._double.facts)
        self._state = replace(self._state, aws_endpoint=self._double.aws_endpoint, facts=facts)
        self._note_children()
        state_file.write(self._state_dir, self._state)
        _say(step="healthy")

    async def _unless_told_to_stop(self, work: Coroutine[Any, Any, None]) -> None:
        starting, told = asyncio.ensure_future(work), asyncio.ensure_future(self._end.wait())
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not starting.done():
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        else:
            starting.result()

    async def _watch(self) -> None:
        """Note who our children are, for whoever has to clean up after a kill -9; end with our owner."""
        owner = _owner(self._options.owner_pid)
        while True:
            if owner is not None and owner.living() is None:
                log.info("owner %s is gone", owner.pid)
                self._end.set()
            if await asyncio.to_thread(self._note_children):
                state_file.write(self._state_dir, self._state)
            await asyncio.sleep(_LOOK_S)

    def _note_children(self) -> bool:
        children = set()
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                children.add(Known.of(process))
        known = tuple(sorted(children, key=lambda child: child.pid))
        changed = known != self._state.children
        self._state = replace(self._state, children=known)
        return changed


def _yield_to_the_load() -> None:
    """Let the load generator keep its time: the double's own speed is not what is judged."""
    os.nice(_NICE)
    with suppress(OSError):  # the same for the whole session, where the kernel groups by sessions
        Path("/proc/self/autogroup").write_text(str(_NICE))


def _front_door(port: int | None) -> socket.socket:
    """Listen where the load will come to. Raises RuntimeError when somebody else does already."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(("127.0.0.1", port or 0))
        door.listen(socket.SOMAXCONN)
    except OSError as error:
        raise RuntimeError(f"port {port} cannot be used for the bank: {error.strerror}") from error
    return door


def _owner(pid: int | None) -> Known | None:
    if pid is None:
        return None
    try:
        return Known.of(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return Known(pid=pid, started=0.0)  # it was quicker than we; nobody lives under this name


def _sole_host(state_dir: Path) -> TextIO:
    """Lock the state directory for as long as this process lives; the kernel unlocks it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / "host.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyRunningError(f"a local staging is running already, see {state_dir}") from None
    return lock


def in_words(error: BaseException) -> str:
    """Return one line that says what went wrong."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"not enough disk space: {error.strerror}"
    said = " ".join(str(error).split())
    return said if isinstance(error, RuntimeError) and said else f"{type(error).__name__}: {said}"


def _say(**what: str) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    os._exit(code)  # taking moto's hundred thousand objects apart one by one would cost a second
