"""Connections that another thread may abort, for requests' public transport adapter."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_of_this_thread = threading.local()


class Abort:
    """Ends the request of the thread that made it, from any thread.

    Socket timeouts cover neither a server that sends byte by byte nor endless interim responses:
    an abandoned thread would read them for ever.
    """

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None
        _of_this_thread.abort = self

    def __call__(self) -> None:
        """Shut the connection down: blocked reads and writes fail at once."""
        opened = getattr(self.connection, "sock", None)
        if opened is not None:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)


def _register(connection: HTTPConnection) -> None:
    abort = getattr(_of_this_thread, "abort", None)
    if abort is not None:
        abort.connection = connection


class _Http(HTTPConnection):
    def putrequest(self, *arguments: Any, **options: Any) -> None:
        _register(self)
        super().putrequest(*arguments, **options)


class _Https(HTTPSConnection):
    def connect(self) -> None:
        # The TLS handshake comes before the request.
        _register(self)
        super().connect()

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        _register(self)
        super().putrequest(*arguments, **options)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class AbortableAdapter(HTTPAdapter):
    """An adapter whose connections register with the Abort of their thread."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pool manager."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool manager of a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
