"""The load, for stock Locust: `locust -f loadgen/locustfile.py --users 10 --spawn-rate 10 --rate 1000`.

Requests start by the clock and never wait for answers. A Locust user is a quantum of arrival rate
(here a tenth of 1,000 per second), so that Locust's page, shapes and workers control the rate.
"""

from __future__ import annotations

import logging
from itertools import count
from typing import Any

from gevent.event import Event
from locust import User, events
from locust.runners import MasterRunner, WorkerRunner

from loadgen.arguments import add_arguments, options_of
from loadgen.ending import end_with_parent, fail, give_up, hear_workers_fail
from loadgen.recorder import RecorderError
from loadgen.worker import LoginError, Worker

_starts = count(1)


class Customer(User):  # type: ignore[misc]  # Locust has no types
    """One quantum of arrival rate: `--rate` / `--users` requests per second."""

    worker: Worker | None = None  # this process's share; its users divide it among themselves
    is_opening = False

    def arrive(self) -> None:
        """Send this quantum's requests until the load ends."""
        try:
            if self.worker:
                self.worker.run_user()
        except Exception as error:  # Locust would log it and begin another schedule
            logging.getLogger(__name__).exception("in the load itself")
            give_up(self.environment, f"{type(error).__name__}: {error}")
        Event().wait()  # until Locust ends this user; it complains of those that end by themselves

    tasks = [arrive]  # noqa: RUF012 - Locust's way


def watch(environment: Any, **_: object) -> None:
    """Watch over what nobody else would notice: a parent that is gone, a worker that has failed."""
    end_with_parent(environment)
    hear_workers_fail(environment)


def start(environment: Any, **_: object) -> None:
    """Open this process's share of the load; a master sends none."""
    runner = environment.runner
    if not isinstance(runner, WorkerRunner):  # whose options come from the master
        environment.parsed_options.users_total = runner.target_user_count
    if isinstance(runner, MasterRunner):
        return
    Customer.worker, Customer.is_opening = None, True
    try:
        worker = _worker(environment, runner.worker_index)
        worker.open(environment.events.request, lambda why: give_up(environment, why))
        Customer.worker, Customer.is_opening = worker, False
    except (ValueError, RecorderError, LoginError) as error:
        give_up(environment, str(error))


def _worker(environment: Any, index: int) -> Worker:
    nth = next(_starts)  # Locust's page can start it again and again in one process
    name = str(index) if nth == 1 else f"{index}.{nth}"
    return Worker(options_of(environment), index=index, name=name)


def end_schedule(**_: object) -> None:
    """Let nothing become due while Locust stops its users one by one."""
    if Customer.worker:
        Customer.worker.end_schedule()


def close(**_: object) -> None:
    """Wait for what is under way and close the history."""
    if Customer.worker:
        Customer.worker.close()


def quit_load(environment: Any, **_: object) -> None:
    """Close before Locust chooses its exit code; a load that never began has failed."""
    close()
    if Customer.is_opening and environment.process_exit_code is None:
        fail(environment, "it was ended before its customers had logged in")


events.init_command_line_parser.add_listener(add_arguments)
events.init.add_listener(watch)
events.test_start.add_listener(start)
events.test_stopping.add_listener(end_schedule)
events.test_stop.add_listener(close)
events.quitting.add_listener(quit_load)
