"""Serves the AWS API on sockets that are already bound, all of them on loopback or in our own subnets."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from waitress import create_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from staging.local.control_plane.front import Front

# A call that waits (a failover's first step) holds one; the load's sessions and receipts need the rest.
_THREADS = 8


class Server:
    """waitress in a thread of its own."""

    def __init__(self, front: Front, sockets: Sequence[socket.socket]) -> None:
        self._server: Any = create_server(
            front, sockets=list(sockets), threads=_THREADS, ident=None, clear_untrusted_proxy_headers=True
        )
        self._thread = threading.Thread(target=self._serve, name="aws-api", daemon=True)
        self._stopping = False

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the sockets."""
        self._stopping = True
        self._server.close()
        self._thread.join(timeout=2)

    def _serve(self) -> None:
        try:
            self._server.run()
        except OSError:
            # its sockets are closed under a select that is still waiting
            if not self._stopping:
                raise
