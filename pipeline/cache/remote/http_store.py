"""Remote cache over HTTP in Bazel's layout: GET and PUT of ``/ac/<key>`` and ``/cas/<sha256>``.

Works with any server that stores PUT bodies: nginx with WebDAV, bazel-remote, a bucket gateway.
Source: https://bazel.build/remote/caching#http-caching.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipeline.cache.digest import Digest
from pipeline.cache.remote.remote_store import BYTES_PER_SECOND, MOST_RECORD_BYTES, RemoteError
from pipeline.http.client import HttpClient, HttpResponse
from pipeline.http.retry import PermanentError, RequestDeadline, RetryPolicy, with_retries
from pipeline.http.urls import redacted_url

_CONNECT_SECONDS = 5.0

T = TypeVar("T")


class HttpStore:
    """A remote cache on an HTTP server. Redirects are not followed."""

    def __init__(self, url: str, *, token: str | None, seconds: float) -> None:
        self._url = url.rstrip("/")
        # A cache is not worth a longer wait.
        self._policy = RetryPolicy(
            connect=min(_CONNECT_SECONDS, seconds),
            read=seconds,
            attempts=3,
            first_wait=0.2,
            longest_wait=2.0,
        )
        # The config refuses a token for a server that is asked by plain http, except on loopback.
        self._http = HttpClient(self._policy, plain_http=True)
        self._headers = {"Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def describe(self) -> str:
        """Return the URL without user name and password."""
        return redacted_url(self._url)

    def get_record(self, key: str) -> bytes | None:
        """Return the record's bytes, or None."""

        def read(response: HttpResponse) -> bytes | None:
            return None if response.status == 404 else response.read(MOST_RECORD_BYTES)

        return self._request("GET", f"ac/{key}", MOST_RECORD_BYTES, read)

    def put_record(self, key: str, data: bytes) -> None:
        """Upload a record."""
        self._request("PUT", f"ac/{key}", len(data), _nothing, data)

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Download the object to ``target``, or return False."""

        def read(response: HttpResponse) -> bool:
            if response.status == 404:
                return False
            left = digest.size
            with target.open("wb") as stream:
                for piece in response.pieces:
                    left -= len(piece)
                    if left < 0:
                        raise PermanentError(f"more than {digest.size} bytes")
                    stream.write(piece)
            return True

        return self._request("GET", f"cas/{digest.sha256}", digest.size, read)

    def put_object(self, digest: Digest, source: Path) -> None:
        """Upload an object, unless it exists already."""
        path = f"cas/{digest.sha256}"
        if not self._request("HEAD", path, 0, lambda response: response.status == 200):
            self._request("PUT", path, digest.size, _nothing, source)

    def _request(
        self,
        method: str,
        path: str,
        size: int,
        read: Callable[[HttpResponse], T],
        body: bytes | Path = b"",
    ) -> T:
        """Return what ``read`` makes of a 2xx response, or of 404 for GET and HEAD.

        ``size`` bytes may take longer. Raises RemoteError.
        """

        def attempt(deadline: RequestDeadline) -> T:
            url = f"{self._url}/{path}"
            with self._http.request(
                method, url, self._headers, deadline, body=body, redirects=0
            ) as response:
                if response.status != 404 or method == "PUT":
                    response.check({})
                return read(response)

        seconds = self._policy.read + size / BYTES_PER_SECOND
        try:
            return with_retries(attempt, self._policy, deadline=RequestDeadline.after(seconds))
        except PermanentError as error:
            if error.status in (401, 403):
                raise RemoteError(f"access denied (HTTP {error.status})", final=True) from None
            if error.status is not None and 300 <= error.status < 400:
                raise RemoteError("redirects are not followed", final=True) from None
            raise RemoteError(str(error)) from None


def _nothing(_: HttpResponse) -> None:
    """Read nothing."""
