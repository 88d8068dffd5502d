"""Remote cache over HTTP in Bazel's layout: GET and PUT of ``/ac/<key>`` and ``/cas/<sha256>``.

Works with any server that stores PUT bodies: nginx with WebDAV, bazel-remote, a bucket gateway.
Source: https://bazel.build/remote/caching#http-caching.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pipeline.cache.digest import Digest
from pipeline.cache.remote.remote_store import MOST_RECORD_BYTES, RemoteError

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

_CONNECT_SECONDS = 5.0
_PIECE = 1 << 18
_ATTEMPTS = 3
_FIRST_WAIT = 0.2
# Minimum transfer rate, after the first `seconds`.
_BYTES_PER_SECOND = 1 << 20


class HttpStore:
    """A remote cache on an HTTP server, with one connection per thread."""

    def __init__(self, url: str, *, token: str | None, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._seconds = seconds
        self._local = threading.local()

    def describe(self) -> str:
        """Return the URL without user name and password."""
        parts = urlsplit(self._url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    def get_record(self, key: str) -> bytes | None:
        """Return the record's bytes, or None."""
        with self._request("GET", f"ac/{key}", stream=True) as response:
            if response.status_code == 404:
                return None
            return b"".join(self._pieces(response, MOST_RECORD_BYTES))

    def put_record(self, key: str, data: bytes) -> None:
        """Upload a record."""
        with self._request("PUT", f"ac/{key}", data=data):
            pass

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Download the object to ``target``, or return False."""
        with self._request("GET", f"cas/{digest.sha256}", stream=True) as response:
            if response.status_code == 404:
                return False
            with target.open("wb") as stream:
                for piece in self._pieces(response, digest.size):
                    stream.write(piece)
            return True

    def put_object(self, digest: Digest, source: Path) -> None:
        """Upload an object, unless it exists already."""
        path = f"cas/{digest.sha256}"
        with self._request("HEAD", path) as response:
            if response.status_code == 200:
                return
        with source.open("rb") as stream, self._request("PUT", path, data=stream):
            pass

    @contextmanager
    def _request(self, method: str, path: str, **options: Any) -> Iterator[Response]:
        """Yield a 2xx response, or 404 for GET and HEAD; raises RemoteError for any other."""
        from requests import RequestException

        expected = (404,) if method in ("GET", "HEAD") else ()
        try:
            response = self._send(method, path, options)
            with response:
                if response.status_code in (401, 403):
                    raise RemoteError(f"access denied (HTTP {response.status_code})", final=True)
                if not response.ok and response.status_code not in expected:
                    raise RemoteError(f"HTTP status {response.status_code}")
                if 300 <= response.status_code < 400:
                    raise RemoteError("redirects are not followed", final=True)
                yield response
        except RequestException as error:
            raise RemoteError(_reason(error)) from None

    def _send(self, method: str, path: str, options: dict[str, Any]) -> Response:
        from requests import ConnectionError as NotConnected
        from requests import Timeout

        wait = _FIRST_WAIT
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            if hasattr(options.get("data"), "seek"):
                options["data"].seek(0)
            try:
                response = self._session().request(
                    method,
                    f"{self._url}/{path}",
                    timeout=(_CONNECT_SECONDS, self._seconds),
                    allow_redirects=False,
                    auth=self._authorised,
                    **options,
                )
            except Timeout:
                raise
            except NotConnected:
                if last:
                    raise
            else:
                if last or response.status_code < 500:
                    return response
                response.close()
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def _pieces(self, response: Response, most: int) -> Iterator[bytes]:
        """Yield the body; raises RemoteError when it is too long, truncated or too slow."""
        from urllib3.exceptions import HTTPError
        from urllib3.exceptions import TimeoutError as TooLate

        if "Content-Encoding" in response.headers:
            raise RemoteError("unexpected Content-Encoding")
        until = time.monotonic() + self._seconds + most / _BYTES_PER_SECOND
        got = 0
        try:
            # read1 returns available bytes at once, so that the deadline is checked often.
            while piece := response.raw.read1(_PIECE):
                got += len(piece)
                if got > most:
                    raise RemoteError("the response is too large")
                if time.monotonic() > until:
                    raise RemoteError("the transfer is too slow")
                yield piece
        except TooLate:
            raise RemoteError("timed out") from None
        except HTTPError:
            raise RemoteError("the response is truncated") from None
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) != got:
            raise RemoteError("the response is truncated")

    def _authorised(self, request: PreparedRequest) -> PreparedRequest:
        # An auth callable keeps requests from sending credentials of a netrc.
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _session(self) -> Session:
        if not hasattr(self._local, "session"):
            from requests import Session

            self._local.session = Session()
            self._local.session.headers["Accept-Encoding"] = "identity"
        session: Session = self._local.session
        return session


def _reason(error: Exception) -> str:
    from requests import ConnectionError as NotConnected
    from requests import Timeout

    if isinstance(error, Timeout):
        return "timed out"
    if isinstance(error, NotConnected):
        return "connection failed"
    return type(error).__name__
