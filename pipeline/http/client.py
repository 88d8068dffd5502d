"""The HTTP client: allowed schemes, redirects, sizes and deadlines of every request."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from pipeline.http.abort import Abort
from pipeline.http.network_error import NETWORK_HINT, network_error
from pipeline.http.retry import (
    DEFAULT_RETRY_POLICY,
    TRANSIENT,
    PermanentError,
    RequestDeadline,
    RetryableError,
    RetryPolicy,
    retry_after,
)
from pipeline.http.urls import (
    http_fault,
    is_loopback,
    join_url,
    printable_line,
    redacted_url,
    same_origin,
)

if TYPE_CHECKING:
    from requests import Response, Session

THREAD_NAME = "http request"
_PIECE = 1 << 18
_AHEAD = 16
_MOST_HOPS = 10
_MOST_HEADER_BYTES = 1 << 16
# The unread rest of a shorter body is read, to reuse the connection.
_SHORT = 1 << 16
# All others may be credentials, and are not sent to another origin.
_HARMLESS = frozenset({"accept", "accept-encoding", "if-range", "range", "user-agent"})
_AGENT = "wasi-nn-pipeline"


class SizedPieces(Protocol):
    """A body of a known length in bytes, in pieces."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


Body = bytes | Path | SizedPieces
"""A request's body; a file is read anew for each attempt."""


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response: ``pieces`` is the streamed body, not decoded, ``url`` the final URL."""

    status: int
    reason: str
    headers: Mapping[str, str]
    url: str
    pieces: Iterator[bytes]

    @property
    def length(self) -> int | None:
        """Return the Content-Length in bytes, if it is valid."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and len(text) < 19 else None

    def check(self, hints: Mapping[int, str], otherwise: str = "") -> None:
        """Raise RetryableError or PermanentError unless the status is a success."""
        self.check_transient()
        if not 200 <= self.status < 300:
            hint = hints.get(self.status, otherwise)
            raise PermanentError(self._status_line, hint, self.status)

    def check_transient(self) -> None:
        """Raise RetryableError if the status is worth a retry."""
        if self.status in TRANSIENT:
            wait = retry_after(self.headers.get("Retry-After", ""))
            hint = "Retry later, or add a mirror."
            raise RetryableError(self._status_line, wait=wait, hint=hint, status=self.status)

    @property
    def _status_line(self) -> str:
        return f"status {self.status} {self.reason}".strip()

    def read(self, limit: int) -> bytes:
        """Return a body of at most ``limit`` bytes, which is not compressed.

        Raises RetryableError and PermanentError.
        """
        encoding = self.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise PermanentError(f"unexpected Content-Encoding {printable_line(encoding)}")
        body = bytearray()
        for piece in self.pieces:
            body += piece
            if len(body) > limit:
                raise PermanentError(f"more than {limit} bytes")
        return bytes(body)


class HttpClient:
    """Sends requests with one policy; connections are reused, also by other threads.

    Allows https, and http on loopback or, with ``plain_http``, everywhere. ``netrc`` allows the
    credentials that the user's netrc has for a host.
    """

    def __init__(
        self,
        policy: RetryPolicy = DEFAULT_RETRY_POLICY,
        *,
        netrc: bool = False,
        plain_http: bool = False,
    ) -> None:
        self.policy = policy
        self._netrc = netrc
        self._plain_http = plain_http
        self._session: Session | None = None

    @contextmanager
    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        deadline: RequestDeadline,
        *,
        body: Body = b"",
        redirects: int = _MOST_HOPS,
    ) -> Iterator[HttpResponse]:
        """Yield the response, of any status; GET and HEAD follow up to ``redirects`` redirects.

        https redirects to https only, and credentials are not sent to another origin. Raises
        RetryableError and PermanentError, here and while the body is read, no later than
        ``deadline``; OSError if ``body`` cannot be read.
        """
        if fault := http_fault(url, plain=self._plain_http):
            raise PermanentError(f"{redacted_url(url)} is not {fault}")
        channel = _Channel(deadline)
        asked = _Request(method, url, headers, body, redirects)
        # Socket timeouts cover neither name resolution nor a server that sends byte by byte: past
        # the deadline the thread is abandoned, and its connection shut down.
        Thread(target=self._run, args=(asked, channel), name=THREAD_NAME, daemon=True).start()
        try:
            response = channel.take()
            if not isinstance(response, HttpResponse):
                raise TypeError(response)
            yield response
            if method == "HEAD" or (response.length is not None and response.length <= _SHORT):
                for _ in response.pieces:
                    pass
        finally:
            channel.leave()

    def _run(self, asked: _Request, channel: _Channel) -> None:
        channel.abort.bind()
        try:
            with self._opened(asked, channel) as response:
                head = HttpResponse(
                    status=response.status_code,
                    reason=printable_line(response.reason or ""),
                    headers=response.headers,
                    url=response.url,
                    pieces=channel.pieces(),
                )
                if sum(map(len, (*head.headers, *head.headers.values()))) > _MOST_HEADER_BYTES:
                    raise PermanentError(f"headers of more than {_MOST_HEADER_BYTES} bytes")
                if not channel.put(head):
                    return
                got = 0
                # Not decoded: a .tar.gz served as Content-Encoding gzip must stay compressed.
                while piece := response.raw.read1(_PIECE, decode_content=False):
                    got += len(piece)
                    if not channel.put(piece):
                        return
            if asked.method != "HEAD" and got < (head.length or 0) and head.status != 304:
                raise RetryableError("the connection was dropped")
            channel.put(None)
        except Exception as error:
            channel.put(network_error(error))
        finally:
            channel.abort.release()

    @contextmanager
    def _opened(self, asked: _Request, channel: _Channel) -> Iterator[Response]:
        import requests

        url, headers = asked.url, {"User-Agent": _AGENT, **asked.headers}
        for _ in range(asked.redirects + 1):
            settings = self._settings(url, headers)
            request = requests.Request(asked.method, url, headers, auth=settings.pop("auth"))
            with _opened_body(asked.body) as request.data:
                # Session.send reads the whole body of a redirect, of any size.
                response = self._sessions.get_adapter(url).send(
                    request.prepare(),
                    stream=True,
                    timeout=(min(self.policy.connect, channel.left), self.policy.read),
                    **settings,
                )
            with response:
                following = None
                if asked.redirects and asked.method in ("GET", "HEAD"):
                    following = self._redirect(response, url)
                if following is None:
                    yield response
                    return
            if not same_origin(url, following):
                headers = {k: v for k, v in headers.items() if k.lower() in _HARMLESS}
            url = following
        raise PermanentError(f"more than {asked.redirects} redirects")

    @property
    def _sessions(self) -> Session:
        from requests import Session

        from pipeline.http.connections import AbortableAdapter

        if self._session is None:
            session = Session()
            for scheme in ("https://", "http://"):
                session.mount(scheme, AbortableAdapter())
            # Of two threads that come here first, one drops its own.
            self._session = session
        return self._session

    def _settings(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return the proxies, certificates and login for a URL."""
        from requests.utils import get_netrc_auth

        if urlsplit(url).scheme == "http" and is_loopback(url):
            settings: dict[str, Any] = {"proxies": {}, "verify": True, "cert": None}
        else:
            found = self._sessions.merge_environment_settings(url, {}, True, None, None)
            settings = {
                "proxies": found["proxies"],
                "verify": found["verify"] or True,
                "cert": found["cert"],
            }
        auth: Any = None
        if any(name.lower() == "authorization" for name in headers):
            # A login in the URL would replace the header.
            auth = _unchanged
        elif self._netrc and urlsplit(url).scheme == "https":
            auth = get_netrc_auth(url)
        return settings | {"auth": auth}

    def _redirect(self, response: Response, url: str) -> str | None:
        target = self._sessions.get_redirect_target(response)
        if target is None:
            return None
        following = join_url(url, target)
        downward = urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https"
        if downward or http_fault(following, plain=self._plain_http):
            raise PermanentError(
                f"redirect to {redacted_url(following)}, which is not https",
                "Use another mirror: plain http can be read and changed in transit.",
            )
        return following


HttpGet = Callable[
    [str, Mapping[str, str], RetryPolicy, RequestDeadline], AbstractContextManager[HttpResponse]
]
"""A function that sends a GET request, such as :func:`http_get`."""


def http_get(
    url: str, headers: Mapping[str, str], policy: RetryPolicy, deadline: RequestDeadline
) -> AbstractContextManager[HttpResponse]:
    """Return the response to GET ``url``, of any status, as HttpClient.request does."""
    return shared_client(policy, netrc=True).request("GET", url, headers, deadline)


def shared_client(policy: RetryPolicy, *, netrc: bool = False) -> HttpClient:
    """Return the client of this process with a policy, whose connections are reused."""
    return _client(policy, netrc, os.getpid())


@lru_cache(maxsize=8)
def _client(policy: RetryPolicy, netrc: bool, _: int) -> HttpClient:
    return HttpClient(policy, netrc=netrc)


@dataclass(frozen=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    body: Body
    redirects: int


class _Channel:
    """A bounded queue from the request's thread to the reader."""

    def __init__(self, deadline: RequestDeadline) -> None:
        self._items: queue.Queue[HttpResponse | bytes | Exception | None] = queue.Queue(_AHEAD)
        self._deadline = deadline
        self._gone = Event()
        self._ended = False
        self.abort = Abort()

    @property
    def left(self) -> float:
        """The remaining seconds, above zero."""
        return self._deadline.left or 0.001

    def put(self, item: HttpResponse | bytes | Exception | None) -> bool:
        """Wait for room and add the item; False when the reader is gone."""
        while not self._gone.is_set():
            try:
                self._items.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def take(self) -> HttpResponse | bytes | None:
        """Return the next item; raise it if it is an exception."""
        try:
            item = self._items.get(timeout=self._deadline.left)
        except queue.Empty:
            raise self._late() from None
        # A get from a queue that is never empty does not time out.
        if time.monotonic() > self._deadline.until:
            raise self._late()
        self._ended = item is None or isinstance(item, Exception)
        if isinstance(item, Exception):
            raise item
        return item

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        while isinstance(piece := self.take(), bytes):
            yield piece

    def leave(self) -> None:
        """End the request if it is not over."""
        self._gone.set()
        if not self._ended:
            self.abort()

    def _late(self) -> PermanentError:
        return PermanentError(f"timed out after {self._deadline.seconds:g} s", NETWORK_HINT)


@contextmanager
def _opened_body(body: Body) -> Iterator[Any]:
    # An empty file would be sent in chunks, which some servers do not accept.
    if not isinstance(body, Path) or not body.stat().st_size:
        yield b"" if isinstance(body, Path) else body
        return
    with body.open("rb") as stream:
        yield stream


def _unchanged(request: Any) -> Any:
    return request
