"""One process's share of the load, from the first login to the footer of its history."""

from __future__ import annotations

import gc
import inspect
import platform
import time
from typing import TYPE_CHECKING, Any, Final

import gevent
import locust
from gevent.event import Event
from gevent.pool import Pool

from blackstart.history import Outcome
from loadgen.arrivals import due_times
from loadgen.client import Client
from loadgen.dispatch import HEADROOM, Dispatcher
from loadgen.recorder import Recorder, clock_pair
from loadgen.shown import Shown
from loadgen.users import Choices, Customers, stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from loadgen.arguments import Options
    from loadgen.client import Answer
    from loadgen.dispatch import Row
    from loadgen.users import Call

LOGIN_WITHIN_S: Final = 30.0
LOGIN_RETRY_S: Final = 0.5
LOGINS_AT_ONCE: Final = 8
DRAIN_S: Final = 1.0  # beyond the deadline, by which every request should have ended by itself


class LoginError(Exception):
    """The customers cannot log in, so there is no load to speak of."""


class RequestError(Exception):
    """What Locust's statistics show for a request that did not end well."""


class Worker:
    """Owns the customers, the dispatcher and the recorder of one process."""

    def __init__(self, options: Options, *, index: int, name: str) -> None:
        self._options, self._index, self._name = options, index, name
        self._client = Client(options.base_url, deadline_s=options.deadline_s)
        choices = Choices(seed=options.seed, worker=index, mix=options.mix)
        self._customers = Customers(self._client, choices, key_prefix=f"{options.run}-{name}-")
        bound = max(100, int(HEADROOM * options.rate * options.deadline_s))
        self._dispatcher = Dispatcher(self._client, self._customers, self._report, bound=bound)
        self._shown = Shown()
        self._recorder: Recorder | None = None
        self._request_event: Any = None
        self._users = 0
        self._errors: dict[str, RequestError] = {}
        self._is_closing, self._closed = False, Event()
        self._from_ns, self._cpu_s = 0, 0.0

    def open(self, request_event: Any, on_failure: Callable[[str], None]) -> None:
        """Begin the history and log everybody in. Raises RecorderError, LoginError."""
        self._request_event = request_event
        if self._options.history:
            self._recorder = Recorder(self._options.history, self._name, on_failure)
            self._recorder.write(self._header())
        self._log_in()
        _quieten_interpreter()
        self._from_ns, self._cpu_s = time.monotonic_ns(), time.process_time()

    def run_user(self) -> None:
        """Send one user's part of the requests until the end of the schedule."""
        user, self._users = self._users, self._users + 1
        random = stream(self._options.seed, f"arrivals/{self._index}/{user}")
        rate = self._options.rate / self._options.users
        now_ns = time.monotonic_ns()
        self._dispatcher.run(due_times(self._options.schedule, rate=rate, start_ns=now_ns, random=random))

    def end_schedule(self) -> None:
        """Let nothing become due any more."""
        self._dispatcher.end_schedule()

    def close(self) -> None:
        """Wait for the requests under way and close the books; a second caller waits for the first."""
        self.end_schedule()
        if self._is_closing:
            self._closed.wait()
            return
        self._is_closing = True
        try:
            self._dispatcher.drain(within_s=self._options.deadline_s + DRAIN_S)
            self._close_files()
        finally:
            self._closed.set()

    def _close_files(self) -> None:
        self._client.close()
        if self._recorder:
            self._recorder.write(self._footer())
            self._recorder.close()
        gc.enable()

    def _log_in(self) -> None:
        give_up_s = time.monotonic() + LOGIN_WITHIN_S
        pool = Pool(LOGINS_AT_ONCE)
        try:
            for problem in pool.imap_unordered(
                lambda n: self._problem(n, give_up_s), self._customers.accounts
            ):
                if problem:
                    raise LoginError(f"no login at {self._options.base_url}: {problem}")
        finally:
            pool.kill()

    def _problem(self, account: int, give_up_s: float) -> str:
        """Log one account in; return why that failed, or nothing."""
        while True:
            call = self._customers.login(account)
            answer = self._client.send(call.request)
            outcome, reason = self._customers.settle(call, answer)
            if outcome is Outcome.OK:
                return ""
            if 400 <= answer.status < 500:  # noqa: PLR2004 - 4xx, which waiting does not cure
                return f"HTTP {answer.status} for account {account}"
            if time.monotonic() > give_up_s:
                return f"{reason} ({answer.status}) for {LOGIN_WITHIN_S:g} s"
            gevent.sleep(LOGIN_RETRY_S)

    def _report(self, row: Row, call: Call, answer: Answer) -> None:
        sighting = self._shown.look(row, call.account, answer.body)
        if self._recorder:
            self._recorder.write(row)
            if sighting:
                self._recorder.write(sighting)
        self._request_event.fire(
            request_type=call.method, name=call.name, response_length=len(answer.body), context={},
            response_time=(row[2] - row[0]) / 1e6, exception=self._error(row), start_time=None, url=None,
        )  # fmt: skip

    def _error(self, row: Row) -> RequestError | None:
        if row[4] is Outcome.OK:
            return None
        text = f"{row[4]}: {row[5]} {row[6] or ''}".rstrip()
        return self._errors.setdefault(text, RequestError(text))  # Locust groups equal ones

    def _header(self) -> dict[str, Any]:
        options = self._options
        return {
            "kind": "header", "worker": self._name, "run": options.run, "seed": options.seed,
            "rate": options.rate, "users": options.users, "deadline_s": options.deadline_s,
            "schedule": options.schedule, "mix": options.mix, "host": options.base_url,
            "machine": platform.node(), "versions": _versions(), **clock_pair(),
        }  # fmt: skip

    def _footer(self) -> dict[str, Any]:
        books = self._dispatcher.books
        return {
            "kind": "footer", "worker": self._name, "run": self._options.run,
            "scheduled": books.scheduled, **{outcome.value: books.ended[outcome] for outcome in Outcome},
            "dropped": books.dropped, "unresolved": books.unresolved,
            "lag_p99_ms": books.lag_p99_ns() / 1e6, "cpu_s": time.process_time() - self._cpu_s,
            "balances_compared": self._shown.compared, "balance_age_ns_max": self._shown.age_ns_max,
            "from_ns": self._from_ns, "until_ns": self._dispatcher.until_ns, **clock_pair(),
        }  # fmt: skip


def _quieten_interpreter() -> None:
    """Do now what would otherwise hold up requests in the middle of an outage, or at the end."""
    inspect.stack()  # Locust's stop() calls it; the first call takes some 50 ms
    gc.collect()
    gc.freeze()
    gc.disable()  # the requests that an outage holds up would make a collection last 100 ms


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(), "locust": locust.__version__, "gevent": gevent.__version__,
    }  # fmt: skip
