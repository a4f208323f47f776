"""A drill that is watched: how the runner starts its watchdog, shows that it lives, and dismisses it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from blackstart.choke import Refused
from blackstart.heartbeat import PROMPT_S, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

    from blackstart.context import Context

END, LEFT, READY = b"end", b"lft", b"ready"  # what the two say to each other
HEARTBEAT, LOG = "heartbeat", "watchdog.log"
_READY_WITHIN_S = 120.0
_ENDS_WITHIN_S = 10.0


class Watchdog:
    """The watchdog of one drill, in the hands of its runner."""

    def __init__(self, process: subprocess.Popen[bytes], heartbeat: Heartbeat) -> None:
        self._process = process
        self._heartbeat = heartbeat
        self._ready = False

    def await_ready(self) -> None:
        """Wait until it watches. Raises Refused when it does not: nothing is broken that nobody watches."""
        pipe = self._process.stdout
        if self._ready or pipe is None:
            return
        readable = select.select([pipe], [], [], _READY_WITHIN_S)[0]
        self._ready = bool(readable) and os.read(pipe.fileno(), len(READY)) == READY
        if not self._ready:
            raise Refused(f"the watchdog did not start, {LOG} says why")

    @property
    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def promise(self, within_s: float = PROMPT_S) -> None:
        """Say that the runner's main thread will be heard of again within so many seconds."""
        self._heartbeat.promise(within_s)

    def hand_over(self) -> None:
        """Let it go on with healing as soon as the lock is free: the drill has ended, and could not."""
        self._say(LEFT)

    def dismiss(self) -> None:
        """End it without healing: the drill has ended by itself."""
        self._say(END)
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def let_go(self) -> None:
        """Take our hands off: one that was not dismissed heals as soon as the lock is free."""
        self._heartbeat.stop()
        with suppress(BrokenPipeError):
            self._pipe.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.returncode = self._process.poll() or 0  # it may outlive us on purpose

    def _say(self, word: bytes) -> None:
        with suppress(BrokenPipeError):  # it has ended before
            self._pipe.write(word)
            self._pipe.flush()

    @property
    def _pipe(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise TypeError("the watchdog must have been started with a pipe")
        return self._process.stdin


@contextmanager
def watched(context: Context, folder: Path, root: Path) -> Iterator[Watchdog]:
    """Start a watchdog for the drill that works in `folder`; `root` is where the code is."""
    heartbeat = Heartbeat(context.place / HEARTBEAT)
    heartbeat.start()
    process = _start(context, folder / LOG, root)
    dog = Watchdog(process, heartbeat)
    try:
        yield dog
    finally:
        dog.let_go()
        _remove_if_empty(folder / LOG)


def _start(context: Context, log: Path, root: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "blackstart.watchdog", str(os.getpid())],
            env={**os.environ, **context.environment()},
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sink,
            start_new_session=True,  # no signal that is meant for the runner's session reaches it
        )


def _remove_if_empty(log: Path) -> None:
    if log.exists() and not log.stat().st_size:
        log.unlink()
