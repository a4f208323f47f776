"""How a load process ends before its time: loudly, and with its parent."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any, Final

import gevent
from locust.runners import MasterRunner, WorkerRunner

from loadgen.process import FAILED

FAILED_EXIT_CODE: Final = 3
_WATCH_EVERY_S: Final = 0.5
_MESSAGE: Final = "load-failed"

_log = logging.getLogger(__name__)


def give_up(environment: Any, why: str) -> None:
    """End this process, and the master of it, in the way of `fail`."""
    if environment.process_exit_code is None:
        fail(environment, why)
        _end()


def fail(environment: Any, why: str) -> None:
    """Let this process, and the master of it, end with one line and an exit code that is not 0.

    A load that has died must never look like a platform that is well.
    """
    _log.error("%s%s", FAILED, why)
    environment.process_exit_code = FAILED_EXIT_CODE
    if isinstance(environment.runner, WorkerRunner):
        environment.runner.send_message(_MESSAGE, why)


def hear_workers_fail(environment: Any) -> None:
    """Let a master give up when one of its workers does."""

    def on_message(msg: Any, **_: object) -> None:
        give_up(environment, f"in a worker: {msg.data}")

    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message(_MESSAGE, on_message)


def end_with_parent(environment: Any) -> None:
    """End in good order once the parent is gone: nobody would stop this load any more.

    Watched rather than asked of the kernel (PR_SET_PDEATHSIG): that signal comes as soon as the
    *thread* that started us ends.
    """
    options = environment.parsed_options
    forked = options.processes and isinstance(environment.runner, WorkerRunner)
    parent = os.getppid() if forked else options.parent
    if parent:
        gevent.spawn(_watch, parent)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        gevent.sleep(_WATCH_EVERY_S)
    _log.warning("the parent process is gone")
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)  # Locust's own way out: drain, report, exit
