"""One HTTP request and its response: allowed schemes, redirects and deadlines."""

from __future__ import annotations

import queue
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from pipeline.http.urls import http_fault, printable_line, redacted_url

if TYPE_CHECKING:
    from requests import Response, Session

_PIECE = 1 << 16
_MOST_HOPS = 10
_AHEAD = 16
_NETWORK = "Check the network and proxy settings, or add a mirror."


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Timeouts in seconds and retry limits.

    ``connect`` is the connect timeout, ``read`` the read timeout, ``total`` the deadline of the
    file with all attempts; ``attempts`` the number of consecutive attempts without progress;
    ``first_wait`` the backoff, which doubles up to ``longest_wait``.
    """

    connect: float = 10.0
    read: float = 30.0
    total: float = 3600.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0


DEFAULT_RETRY_POLICY = RetryPolicy()


class RetryableError(Exception):
    """A failure worth a retry; the server requested a wait of ``wait`` seconds."""

    def __init__(self, reason: str, *, wait: float = 0.0, hint: str = "") -> None:
        super().__init__(reason)
        self.wait = wait
        self.hint = hint
        self.progressed = False


class PermanentError(Exception):
    """A permanent failure."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


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


@contextmanager
def http_get(
    url: str, headers: Mapping[str, str], policy: RetryPolicy, deadline: float
) -> Iterator[HttpResponse]:
    """Yield the response to GET ``url``, of any status; follows redirects.

    Allows https, and http on loopback; https redirects to https only. Raises RetryableError and
    PermanentError, here and while the body is read, no later than ``deadline`` (of time.monotonic).
    """
    channel = _Channel(deadline, policy)
    # Socket timeouts cover neither name resolution nor a server that sends byte by byte: past
    # the deadline the thread is abandoned.
    Thread(target=_send, args=(url, headers, policy, channel), daemon=True).start()
    try:
        response = channel.take()
        if not isinstance(response, HttpResponse):
            raise TypeError(response)
        yield response
    finally:
        channel.gone.set()


class _Channel:
    """A bounded queue from the request's thread to the reader."""

    def __init__(self, deadline: float, policy: RetryPolicy) -> None:
        self._items: queue.Queue[HttpResponse | bytes | Exception | None] = queue.Queue(_AHEAD)
        self._deadline = deadline
        self._whole = policy.total
        self.gone = Event()

    def put(self, item: HttpResponse | bytes | Exception | None) -> bool:
        """Wait for room and add the item; False when the reader is gone."""
        while not self.gone.is_set():
            try:
                self._items.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def take(self) -> HttpResponse | bytes | None:
        """Return the next item; raise it if it is an exception."""
        try:
            item = self._items.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            raise self._late() from None
        # A get from a queue that is never empty does not time out.
        if time.monotonic() > self._deadline:
            raise self._late()
        if isinstance(item, Exception):
            raise item
        return item

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        while isinstance(piece := self.take(), bytes):
            yield piece

    def _late(self) -> PermanentError:
        return PermanentError(f"timed out after {self._whole:g} s", _NETWORK)


def _send(url: str, headers: Mapping[str, str], policy: RetryPolicy, channel: _Channel) -> None:
    try:
        with _opened(url, headers, policy) as response:
            head = HttpResponse(
                status=response.status_code,
                reason=printable_line(response.reason or ""),
                headers=response.headers,
                url=response.url,
                pieces=channel.pieces(),
            )
            if not channel.put(head):
                return
            # Not decoded: a .tar.gz served as Content-Encoding gzip must stay compressed.
            for piece in response.raw.stream(_PIECE, decode_content=False):
                if not channel.put(piece):
                    return
        channel.put(None)
    except Exception as error:
        channel.put(_network_error(error))


@contextmanager
def _opened(url: str, headers: Mapping[str, str], policy: RetryPolicy) -> Iterator[Response]:
    import requests

    with requests.Session() as session:
        for _ in range(_MOST_HOPS):
            # Plain http is for loopback, which needs no proxy.
            session.trust_env = urlsplit(url).scheme == "https"
            prepared = session.prepare_request(requests.Request("GET", url, headers=headers))
            settings = session.merge_environment_settings(url, {}, True, None, None)
            # Session.send reads the whole body of a redirect, of any size.
            response = session.get_adapter(url).send(
                prepared,
                stream=True,
                timeout=(policy.connect, policy.read),
                verify=settings["verify"] or True,
                cert=settings["cert"],
                proxies=settings["proxies"],
            )
            with response:
                following = _redirect(session, response, url)
                if following is None:
                    yield response
                    return
            url = following
    raise PermanentError(f"more than {_MOST_HOPS} redirects")


def _redirect(session: Session, response: Response, url: str) -> str | None:
    try:
        target = session.get_redirect_target(response)
        following = None if target is None else urljoin(url, target)
    except ValueError:
        raise PermanentError("redirect to an invalid URL") from None
    if following is None:
        return None
    downward = urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https"
    if downward or http_fault(following):
        raise PermanentError(
            f"redirect to {redacted_url(following)}, which is not https",
            "Use another mirror: plain http can be read and changed in transit.",
        )
    return following


def _network_error(error: Exception) -> Exception:
    """Return a network error as Broken or Refused, and any other exception unchanged."""
    import requests
    import urllib3.exceptions

    causes = _causes(error)

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if isinstance(error, requests.exceptions.ProxyError):
        return RetryableError("the proxy refused the connection", hint=_NETWORK)
    if any_is(socket.gaierror):
        return RetryableError("could not resolve the host name", hint=_NETWORK)
    if any_is(ssl.SSLCertVerificationError):
        return PermanentError(
            "could not verify the server's certificate",
            "For a proxy with its own certificate, set REQUESTS_CA_BUNDLE.",
        )
    if any_is(ConnectionRefusedError):
        return RetryableError("the connection was refused", hint=_NETWORK)
    if any_is(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return RetryableError("timed out waiting for data", hint=_NETWORK)
    dropped = (requests.ConnectionError, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, dropped):
        return RetryableError("the connection was dropped", hint=_NETWORK)
    if isinstance(error, requests.RequestException):
        return PermanentError(f"invalid request ({type(error).__name__})")
    if isinstance(error, OSError):
        return PermanentError(printable_line(error.strerror or str(error)))
    return error


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes
