"""Connections that another thread may abort, for requests' public transport adapter."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from pipeline.http.abort import watch


class _Http(HTTPConnection):
    def putrequest(self, *arguments: Any, **options: Any) -> None:
        watch(self)
        super().putrequest(*arguments, **options)

    def getresponse(self) -> Any:
        # It connects only when it sends the request.
        watch(self)
        return super().getresponse()


class _Https(HTTPSConnection):
    def connect(self) -> None:
        # The TLS handshake comes before the request.
        watch(self)
        super().connect()

    def putrequest(self, *arguments: Any, **options: Any) -> None:
        watch(self)
        super().putrequest(*arguments, **options)

    def getresponse(self) -> Any:
        watch(self)
        return super().getresponse()


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class AbortableAdapter(HTTPAdapter):
    """An adapter whose connections the Abort of their thread watches."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pool manager."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool manager of a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
