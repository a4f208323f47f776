"""The AWS API of the local staging: our own operations first, moto for the rest."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from staging.local.control_plane import beyond
from staging.local.control_plane.audit import AuditTrail, changes_something
from staging.local.control_plane.protocol import Answer, AwsError, Call, read_call, unimplemented

log = logging.getLogger(__name__)

Handler = Callable[[Mapping[str, Any]], Any]
RegionalHandler = Callable[[str, Mapping[str, Any]], Any]
Hook = Callable[[Call], None]
Gate = Callable[[Call], None]
Shortcut = Callable[[Call], "Answer | None"]
AnyName = TypeVar("AnyName")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class StartResponse(Protocol):
    """WSGI's way to send status and headers."""

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        """Send them."""


class Front:
    """A WSGI application. Operations and hooks are registered before the first request."""

    def __init__(self, trail: AuditTrail) -> None:
        self._trail = trail
        self._moto = _Moto(create_backend_app)
        self._operations: dict[tuple[str, str], Callable[[Call], Any]] = {}
        self._local: dict[str, Handler] = {}
        self._shortcuts: dict[tuple[str, str], Shortcut] = {}
        self._before: dict[tuple[str, str], list[Hook]] = defaultdict(list)
        self._after: dict[tuple[str, str], list[Hook]] = defaultdict(list)
        self._routed: set[str] = set()
        self._gate: Gate = lambda _: None

    def operation(self, service: str, action: str) -> Callable[[AnyFunction], AnyFunction]:
        """Answer this operation with the decorated function: parameters in, members of the answer out."""
        self._routed.add(service)

        def register(name: tuple[str, str], handler: Handler) -> None:
            self._operations[name] = lambda call: handler(call.params)

        return _registered(register, (service, action))

    def regional(self, service: str, action: str) -> Callable[[AnyFunction], AnyFunction]:
        """Answer this operation with the decorated function of the caller's region and the parameters."""
        self._routed.add(service)

        def register(name: tuple[str, str], handler: RegionalHandler) -> None:
            self._operations[name] = lambda call: handler(call.region, call.params)

        return _registered(register, (service, action))

    def local(self, name: str) -> Callable[[AnyFunction], AnyFunction]:
        """Answer POST /_local/NAME, which no AWS has, with the decorated function: JSON in, JSON out."""
        return _registered(self._local.__setitem__, name)

    def gate(self, gate: Gate) -> None:
        """Ask this function before any call of AWS's; what it raises, the server hears, and nobody else."""
        self._gate = gate

    def routed(self, service: str) -> None:
        """Tell the operations of this service apart by their paths, for those who hook into them."""
        self._routed.add(service)

    def shortcut(self, service: str, action: str) -> Callable[[AnyFunction], AnyFunction]:
        """Let the decorated function answer first, without parsing; None leaves the call to moto."""
        return _registered(self._shortcuts.__setitem__, (service, action))

    def before(self, service: str, *actions: str) -> Callable[[AnyFunction], AnyFunction]:
        """Run the decorated function before these operations; an AwsError is the answer."""
        return _hooked(self._before, service, actions)

    def after(self, service: str, *actions: str) -> Callable[[AnyFunction], AnyFunction]:
        """Run the decorated function after these operations succeeded, before the caller has the answer."""
        return _hooked(self._after, service, actions)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if beyond.is_meant(environ):
            call = beyond.read_call(environ)
            answer = beyond.answer(call, self._local)
        else:
            call = read_call(environ, self._routed)
            self._gate(call)
            answer = self._answer(call)
        if changes_something(call):
            self._trail.write(call, answer.status)
        start_response(answer.line, answer.headers)
        return [answer.body]

    def _answer(self, call: Call) -> Answer:
        try:
            return self._attempt(call)
        except AwsError as error:
            return call.fail(error)
        except NotImplementedError:
            return call.fail(unimplemented(call.service, call.action))
        except Exception:
            log.exception("%s %s failed", call.service, call.action)
            message = f"{call.service} {call.action} failed inside the local staging; its log says why."
            return call.fail(AwsError("InternalFailure", message, HTTPStatus.INTERNAL_SERVER_ERROR))

    def _attempt(self, call: Call) -> Answer:
        name = (call.service, call.action)
        shortcut = self._shortcuts.get(name)
        if shortcut and (quick := shortcut(call)):
            return quick
        for hook in self._before.get(name, ()):
            hook(call)
        handler = self._operations.get(name)
        answer = call.succeed(handler(call)) if handler else self._moto.answer(call)
        if answer.status < HTTPStatus.MULTIPLE_CHOICES:
            for hook in self._after.get(name, ()):
                hook(call)
        return answer


class _Moto(DomainDispatcherApplication):  # type: ignore[misc]
    """moto's server application, without its walk through every service's URLs on each request."""

    def __init__(self, create_app: Callable[[Any], Any]) -> None:
        super().__init__(create_app)
        self._backends: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]

    def answer(self, call: Call) -> Answer:
        """Let moto answer; what it does not know becomes an error that says so."""
        sent: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            sent.append((status, headers))

        try:
            body = b"".join(self(call.environ, start_response))
        except (AttributeError, ImportError) as error:
            if self._knows(call.service):
                raise
            raise unimplemented(call.service, call.action) from error
        status, headers = sent[-1]
        answer = Answer(int(status[:3]), headers, body)
        if _is_web_page(answer):
            raise unimplemented(call.service, call.action)
        return answer

    @staticmethod
    def _knows(service: str) -> bool:
        return service.replace("-", "") in backends.list_of_moto_modules()


def _is_web_page(answer: Answer) -> bool:
    """Moto answers a path that it does not know with Flask's HTML page."""
    kind = dict(answer.headers).get("Content-Type", "")
    return (
        answer.status >= HTTPStatus.BAD_REQUEST and kind.startswith("text/html") and b"<html" in answer.body
    )


def _registered(
    register: Callable[[AnyName, Any], None], name: AnyName
) -> Callable[[AnyFunction], AnyFunction]:
    def decorate(function: AnyFunction) -> AnyFunction:
        register(name, function)
        return function

    return decorate


def _hooked(
    hooks: dict[tuple[str, str], list[Hook]], service: str, actions: tuple[str, ...]
) -> Callable[[AnyFunction], AnyFunction]:
    def decorate(function: AnyFunction) -> AnyFunction:
        for action in actions:
            hooks[service, action].append(function)
        return function

    return decorate
