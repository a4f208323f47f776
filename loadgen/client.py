"""An HTTP/1.1 client over gevent that tries exactly once and gives up at a total deadline.

Load generators' usual clients retry behind one's back, queue for a connection, or time each socket
operation by itself; during an outage each of these falsifies the count. This one does none of it.
"""

from __future__ import annotations

import errno
import math
import time
from collections import deque
from select import POLLIN
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import gevent
from gevent import monkey, socket, ssl
from httptools import HttpParserError, HttpResponseParser

IDLE_S_MAX: Final = 4.0  # shorter than servers keep an idle connection, so that the two rarely race
RESOLVED_S_MAX: Final = 1.0  # a failover moves names, so an address is not believed for long

_CONNECT_FAILED: Final = {
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "refused",
    errno.ENETUNREACH: "refused",
    errno.ETIMEDOUT: "timeout",
    # the generator's own limits: its fault, and to be seen as such
    errno.EMFILE: "dropped",
    errno.ENFILE: "dropped",
    errno.EADDRNOTAVAIL: "dropped",
}
# gevent's own of these would switch to another request
_poll: Any = monkey.get_original("select", "poll")
_getaddrinfo: Any = monkey.get_original("socket", "getaddrinfo")


class Answer(NamedTuple):
    """What came back; when nothing did, `status` is 0 and `reason` says why."""

    status: int
    reason: str = ""  # or "timeout", "refused", "reset", "dropped"
    body: bytes = b""
    task: str = ""
    az: str = ""


class Client:
    """Sends requests to one base URL, over as many connections as that takes."""

    def __init__(self, base_url: str, *, deadline_s: float) -> None:
        url = urlsplit(base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"not an HTTP base URL: {base_url!r}")
        self._tls = ssl.create_default_context() if url.scheme == "https" else None
        self._name = _Name(url.hostname, url.port or (443 if self._tls else 80))
        self._host, self._prefix = url.netloc, url.path.rstrip("/")
        self._deadline_s = deadline_s
        self._idle: deque[_Connection] = deque()

    def compose(self, method: str, path: str, headers: str = "", body: bytes = b"") -> bytes:
        """Return the bytes of a request; each of the headers is a whole line."""
        lines = f"{method} {self._prefix}{path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}"
        if body:
            lines += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return lines.encode() + b"\r\n" + body

    def send(self, request: bytes) -> Answer:
        """Send the request once; return what came back by the deadline."""
        deadline = gevent.Timeout.start_new(self._deadline_s)
        try:
            return self._try(request)
        except gevent.Timeout as expired:
            if expired is not deadline:
                raise
            return Answer(0, "timeout")
        finally:
            deadline.close()

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _try(self, request: bytes) -> Answer:
        try:
            connection = self._reuse() or self._connect()
        except socket.gaierror:
            return Answer(0, "refused")
        except OSError as error:
            return Answer(0, _CONNECT_FAILED.get(error.errno or 0, "reset"))
        try:
            return connection.exchange(request)
        except (OSError, HttpParserError):
            return Answer(0, "reset")
        finally:
            self._keep_or_close(connection)

    def _reuse(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()  # the last used first, so that those not needed age
            if connection.is_quiet():
                return connection
            connection.close()
        return None

    def _connect(self) -> _Connection:
        family, address = self._name.address()
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.connect(address)
            if self._tls is None:
                return _Connection(plain)
            return _Connection(self._tls.wrap_socket(plain, server_hostname=self._name.host))
        except BaseException:  # also a deadline, which is no Exception
            plain.close()
            raise

    def _keep_or_close(self, connection: _Connection) -> None:
        if not connection.is_reusable:  # a late answer on it would be taken for the next one's
            connection.close()
            return
        connection.idle_since_s = time.monotonic()
        self._idle.append(connection)
        while self._idle[0].idle_since_s < connection.idle_since_s - IDLE_S_MAX:
            self._idle.popleft().close()


class _Connection:
    """One connection, and the parser of the answers that come over it."""

    def __init__(self, sock: Any) -> None:
        self.is_reusable = False
        self.idle_since_s = 0.0
        self._socket = sock
        self._poll = _poll()
        self._poll.register(sock.fileno(), POLLIN)
        self._parser = HttpResponseParser(self)
        self._complete = False
        self._forget()

    def exchange(self, request: bytes) -> Answer:
        """Send a request and read its answer. Raises OSError, HttpParserError."""
        self._forget()
        self._socket.sendall(request)
        while not self._complete:
            received = self._socket.recv(16384)
            if not received:
                raise ConnectionResetError("closed before the answer was complete")
            self._parser.feed_data(received)
        return Answer(self._status, "", self._body, self._task, self._az)

    def is_quiet(self) -> bool:
        """Tell whether the server has neither closed the idle connection nor said anything on it."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close it; whatever is still on its way is lost."""
        self._socket.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep who answered (called by the parser)."""
        name = name.lower()
        if name == b"x-task":
            self._task = value.decode("latin-1")
        elif name == b"x-az":
            self._az = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Keep the status (called by the parser)."""
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Collect the body (called by the parser)."""
        self._body += body

    def on_message_complete(self) -> None:
        """See whether this was the answer, or only a 1xx before it (called by the parser)."""
        if self._status >= 200:  # noqa: PLR2004 - the first status that is final
            self.is_reusable = not self._complete and self._parser.should_keep_alive()
            self._complete = True

    def _forget(self) -> None:
        self.is_reusable = self._complete = False
        self._status, self._body = 0, b""
        self._task = self._az = ""


class _Name:
    """A host's addresses, asked for again when they have become old."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self._port = port
        self._addresses = _numeric(host, port)
        self._believed_until_s = math.inf if self._addresses else 0.0

    def address(self) -> tuple[int, Any]:
        """Return family and address to connect to, each of the host's in turn. Raises OSError."""
        now_s = time.monotonic()
        if now_s >= self._believed_until_s or not self._addresses:
            self._believed_until_s = now_s + RESOLVED_S_MAX  # first, so that others need not ask, too
            self._addresses = _preferred(socket.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM))
        self._addresses.rotate()
        return self._addresses[0]


def _numeric(host: str, port: int) -> deque[tuple[int, Any]]:
    """Return the address of a host that is an address already, else none; asks nobody."""
    try:
        return _preferred(_getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return deque()


def _preferred(found: list[Any]) -> deque[tuple[int, Any]]:
    """Return IPv4 addresses where there are any: names like localhost have an IPv6 one without a listener."""
    addresses = [(family, address) for family, _, _, _, address in found]
    return deque([a for a in addresses if a[0] == socket.AF_INET] or addresses)
