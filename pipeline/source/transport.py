"""One question to a server and its answer: where it may lead, and how long it may take."""

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

from pipeline.source.urls import http_fault, plain, shown

if TYPE_CHECKING:
    from requests import Response, Session

_PIECE = 1 << 16
_MOST_HOPS = 10
_AHEAD = 16
_NETWORK = "Is there a network, and do its proxy settings hold? Or add a mirror."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is borne with, in seconds, and how often it is asked.

    ``connect`` bounds a connection, ``silence`` the wait for the next bytes, ``whole`` the file
    with all attempts; ``attempts`` counts those in a row that brought next to nothing, and
    ``first_wait`` doubles between them up to ``longest_wait``.
    """

    connect: float = 10.0
    silence: float = 30.0
    whole: float = 3600.0
    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0


PATIENCE = Patience()


class Broken(Exception):
    """It failed in a way that another attempt may not; ``wait`` seconds are asked for."""

    def __init__(self, reason: str, *, wait: float = 0.0, hint: str = "") -> None:
        super().__init__(reason)
        self.wait = wait
        self.hint = hint
        self.gained = False


class Refused(Exception):
    """It failed in a way that another attempt would too."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Answer:
    """What a server says: ``pieces`` of the body as they come, undecoded; ``url`` is the last."""

    status: int
    reason: str
    headers: Mapping[str, str]
    url: str
    pieces: Iterator[bytes]

    @property
    def length(self) -> int | None:
        """Return the bytes that the body is said to have."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and len(text) < 19 else None


@contextmanager
def exchange(
    url: str, headers: Mapping[str, str], patience: Patience, deadline: float
) -> Iterator[Answer]:
    """Ask for ``url`` and yield the answer, whatever its status; redirects are followed.

    Only https is spoken, and http with this machine; a redirect goes from https to https alone.
    Raises Broken and Refused, there and while the pieces are read; not later than ``deadline``
    (of time.monotonic).
    """
    line = _Line(deadline, patience)
    # Time limits of a socket bound neither the search for a name nor a server that drips: what
    # talks to it is left behind when the time is over.
    Thread(target=_talk, args=(url, headers, patience, line), daemon=True).start()
    try:
        answer = line.take()
        if not isinstance(answer, Answer):
            raise TypeError(answer)
        yield answer
    finally:
        line.gone.set()


class _Line:
    """Hands what the talking thread hears to the waiting one, a few pieces ahead of it."""

    def __init__(self, deadline: float, patience: Patience) -> None:
        self._items: queue.Queue[Answer | bytes | Exception | None] = queue.Queue(_AHEAD)
        self._deadline = deadline
        self._whole = patience.whole
        self.gone = Event()

    def put(self, item: Answer | bytes | Exception | None) -> bool:
        """Wait until the other has room for the item; false when it is gone."""
        while not self.gone.is_set():
            try:
                self._items.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def take(self) -> Answer | bytes | None:
        """Return the next item, or raise it when it is an exception."""
        try:
            item = self._items.get(timeout=max(0.0, self._deadline - time.monotonic()))
        except queue.Empty:
            raise self._late() from None
        # A queue that is never empty is never waited for.
        if time.monotonic() > self._deadline:
            raise self._late()
        if isinstance(item, Exception):
            raise item
        return item

    def pieces(self) -> Iterator[bytes]:
        """Yield the body."""
        while isinstance(piece := self.take(), bytes):
            yield piece

    def _late(self) -> Refused:
        return Refused(f"not done after {self._whole:g} s", _NETWORK)


def _talk(url: str, headers: Mapping[str, str], patience: Patience, line: _Line) -> None:
    try:
        with _opened(url, headers, patience) as response:
            heard = Answer(
                status=response.status_code,
                reason=plain(response.reason or ""),
                headers=response.headers,
                url=response.url,
                pieces=line.pieces(),
            )
            if not line.put(heard):
                return
            # Undecoded: a .tar.gz that is declared as gzip-encoded is still wanted as it is.
            for piece in response.raw.stream(_PIECE, decode_content=False):
                if not line.put(piece):
                    return
        line.put(None)
    except Exception as error:
        line.put(_told(error))


@contextmanager
def _opened(url: str, headers: Mapping[str, str], patience: Patience) -> Iterator[Response]:
    import requests

    with requests.Session() as session:
        for _ in range(_MOST_HOPS):
            # Proxies are for the world outside, and plain http never goes there.
            session.trust_env = urlsplit(url).scheme == "https"
            prepared = session.prepare_request(requests.Request("GET", url, headers=headers))
            settings = session.merge_environment_settings(url, {}, True, None, None)
            # Not the session's own way: it reads the whole body of a redirect, however long.
            response = session.get_adapter(url).send(
                prepared,
                stream=True,
                timeout=(patience.connect, patience.silence),
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
    raise Refused(f"more than {_MOST_HOPS} redirects")


def _redirect(session: Session, response: Response, url: str) -> str | None:
    try:
        target = session.get_redirect_target(response)
        following = None if target is None else urljoin(url, target)
    except ValueError:
        raise Refused("a redirect to what is no address") from None
    if following is None:
        return None
    downward = urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https"
    if downward or http_fault(following):
        raise Refused(
            f"a redirect to {shown(following)}, which is not https",
            "Use another mirror: what is not https can be changed or read on its way.",
        )
    return following


def _told(error: Exception) -> Exception:
    """Return a fault of the network as Broken or Refused, and what is none as it is."""
    import requests
    import urllib3.exceptions

    causes = _causes(error)

    def any_is(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if isinstance(error, requests.exceptions.ProxyError):
        return Broken("the proxy does not let it through", hint=_NETWORK)
    if any_is(socket.gaierror):
        return Broken("the name of the host could not be resolved", hint=_NETWORK)
    if any_is(ssl.SSLCertVerificationError):
        return Refused(
            "the certificate of the server could not be verified",
            "Behind a proxy that has its own, name it with REQUESTS_CA_BUNDLE.",
        )
    if any_is(ConnectionRefusedError):
        return Broken("the connection was refused", hint=_NETWORK)
    if any_is(requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError):
        return Broken("nothing came for too long", hint=_NETWORK)
    dropped = (requests.ConnectionError, urllib3.exceptions.HTTPError, ConnectionError)
    if isinstance(error, dropped):
        return Broken("the connection was dropped", hint=_NETWORK)
    if isinstance(error, requests.RequestException):
        return Refused(f"it cannot be asked for ({type(error).__name__})")
    if isinstance(error, OSError):
        return Refused(plain(error.strerror or str(error)))
    return error


def _causes(error: BaseException) -> list[BaseException]:
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    return causes
