"""Run blackstart while something goes wrong around it: an answer is lost, the disk full, the clock jumps ...

    python bench/troubled.py --home DIR heal

The environment says what, and from which call on (`Trouble`). Calls are AWS calls and the local staging's
own; those that change something are counted apart, from 1.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import resource
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.client
from botocore.exceptions import ClientError, EndpointConnectionError

from blackstart import choke, cli
from staging.local import powers

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = "BENCH_TROUBLED"
CLOCK = "clock jumps"
_FAKETIME = "vendor/libfaketime/src/libfaketime.so.1"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What goes wrong at which call; `of_changes`: only calls that change something are counted."""

    kind: str
    at: int = 1
    of_changes: bool = True
    lasts: int = 1  # calls

    def environment(self) -> dict[str, str]:
        """Return what the launched process must find in its environment."""
        preloaded = clock() if self.kind == CLOCK else {}
        return {**preloaded, _VARIABLE: json.dumps(asdict(self))}

    def is_on(self, calls: int, changes: int, *, changing: bool) -> bool:
        """Tell whether the call that is about to be made is one of those."""
        if self.of_changes and not changing:
            return False
        number = changes if self.of_changes else calls
        return self.at <= number < self.at + self.lasts


def clock() -> dict[str, str]:
    """Return what makes the clock of a process adjustable. Raises RuntimeError without libfaketime."""
    found = find_spec("libfaketime")
    if found is None or found.origin is None:
        raise RuntimeError("libfaketime is needed: .venv/bin/pip install --no-deps libfaketime==3.0.1")
    library = Path(found.origin).parent / _FAKETIME
    steady = {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
    return {"LD_PRELOAD": str(library), "FAKETIME": "+0", **steady}


class Calls:
    """Counts calls, and lets the trouble happen to the right ones."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._calls = self._changes = 0
        self._losing = False

    def hook_in(self) -> None:
        """Stand between the product and whatever it calls."""
        api, power = botocore.client.BaseClient._make_api_call, powers.Door.call  # noqa: SLF001 - all calls pass there
        answer = http.client.HTTPConnection.getresponse

        def call(client: Any, operation: str, parameters: Any) -> Any:
            changing = not choke.is_read(operation)
            return self._through(lambda: api(client, operation, parameters), operation, changing=changing)

        def use(door: Any, name: str, **parameters: object) -> Any:
            changing = not name.startswith("Describe")
            return self._through(lambda: power(door, name, **parameters), name, changing=changing)

        def getresponse(connection: Any, *arguments: Any, **more: Any) -> Any:
            found = answer(connection, *arguments, **more)
            if self._losing:
                found.read()  # it has happened; nobody hears of it
                raise TimeoutError("timed out")
            return found

        botocore.client.BaseClient._make_api_call = call  # noqa: SLF001 - all calls pass there
        powers.Door.call = use  # type: ignore[method-assign,assignment]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign,assignment]

    def _through(self, make: Callable[[], Any], operation: str, *, changing: bool) -> Any:
        self._calls += 1
        self._changes += changing
        is_on = self._trouble.is_on(self._calls, self._changes, changing=changing)
        if not is_on:
            return make()
        sys.stderr.write(f"trouble: {self._trouble.kind} at {operation}\n")
        return _HAPPENS[self._trouble.kind](self, make, operation)

    def lose_answer(self, make: Callable[[], Any], _: str) -> Any:
        """Let it happen, and lose the answer."""
        self._losing = True
        try:
            return make()
        finally:
            self._losing = False


def _refused_as(code: str, message: str) -> Callable[[Calls, Callable[[], Any], str], Any]:
    def happens(_: Calls, __: Callable[[], Any], operation: str) -> Any:
        answered = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise ClientError(answered, operation)

    return happens


def _nobody_listens(_: Calls, __: Callable[[], Any], ___: str) -> Any:
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1")


def _clock_jumps(_: Calls, make: Callable[[], Any], __: str) -> Any:
    """From now on the wall clock is three hours behind, for libc and all above; the monotonic one goes on."""
    os.environ["FAKETIME"] = "-3h"
    return make()


def _disk_is_full(_: Calls, make: Callable[[], Any], __: str) -> Any:
    """No file grows any more: the kernel refuses each write that would make one longer."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    return make()


def _directory_is_read_only(_: Calls, make: Callable[[], Any], __: str) -> Any:
    """Nothing below the home can be opened for writing any more."""
    really = os.open
    home = sys.argv[sys.argv.index("--home") + 1]

    def opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if str(path).startswith(home) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return really(path, flags, *more, **named)

    os.open = opened
    return make()


_HAPPENS: dict[str, Callable[[Calls, Callable[[], Any], str], Any]] = {
    "lost answer": Calls.lose_answer,
    "throttled": _refused_as("Throttling", "Rate exceeded"),
    "expired credentials": _refused_as("ExpiredToken", "The security token included is expired"),
    "nobody listens": _nobody_listens,
    CLOCK: _clock_jumps,
    "disk is full": _disk_is_full,
    "directory is read-only": _directory_is_read_only,
}
KINDS = tuple(_HAPPENS)


def main() -> None:
    """Run blackstart's command line."""
    Calls(Trouble(**json.loads(os.environ[_VARIABLE]))).hook_in()
    cli.main()


if __name__ == "__main__":
    main()
