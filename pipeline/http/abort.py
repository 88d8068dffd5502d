"""End a request from another thread than the one that waits for its response."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

_of_this_thread = threading.local()


class Abort:
    """Shuts the connection of a request down, now or as soon as it is used.

    Socket timeouts cover neither a server that sends byte by byte nor endless interim responses:
    an abandoned thread would read them for ever.
    """

    def __init__(self) -> None:
        self._called = False
        self._connection: Any = None

    def bind(self) -> None:
        """Watch the connections that this thread uses from now on."""
        _of_this_thread.abort = self

    def release(self) -> None:
        """Leave the connection alone: the request is over."""
        self._connection = None

    def __call__(self) -> None:
        """Shut the connection down: blocked reads and writes fail at once."""
        self._called = True
        opened = getattr(self._connection, "sock", None)
        if opened is not None:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def watch(self, connection: object) -> None:
        """Note which connection is used; raises ConnectionAbortedError after a call."""
        self._connection = connection
        if self._called:
            raise ConnectionAbortedError("the request was given up")


def watch(connection: object) -> None:
    """Note that this thread uses a connection; raises ConnectionAbortedError."""
    abort = getattr(_of_this_thread, "abort", None)
    if abort is not None:
        abort.watch(connection)
