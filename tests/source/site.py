"""A real HTTP server on loopback whose every path answers as a test wants it to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from pipeline.http.retry import RetryPolicy

# Short enough for a test, long enough for a busy machine.
HASTY = RetryPolicy(
    connect=5.0, read=5.0, total=60.0, attempts=3, first_wait=0.01, longest_wait=0.02
)


class Handler(BaseHTTPRequestHandler):
    """Looks the path up in the site and lets what is found there answer."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        path = self.path.partition("?")[0]
        site.asked.append((path, dict(self.headers.items())))
        answer = site.answers.get(path)
        self.close_connection = True
        if answer is None:
            self.say(404, b"nothing here")
        else:
            answer(self)

    do_HEAD = do_PUT = do_POST = do_GET  # noqa: N815

    def say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer; a header that is given wins over the true length."""
        given = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        pass


class _Server(ThreadingHTTPServer):
    site: Site
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many tests are about."""


Answer = Callable[[Handler], None]


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    address: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    closing: Event = field(default_factory=Event)

    def put(self, path: str, answer: Answer | bytes) -> str:
        """Let ``path`` answer so, and return its address."""
        self.answers[path] = plainly(answer) if isinstance(answer, bytes) else answer
        return self.address + path

    def times(self, path: str) -> int:
        """Return how often it was asked for."""
        return [asked for asked, _ in self.asked].count(path)

    def ranges(self, path: str) -> list[str | None]:
        """Return the Range of each question for it."""
        return [headers.get("Range") for asked, headers in self.asked if asked == path]


@contextmanager
def serving() -> Iterator[Site]:
    """Yield a site on a free port of loopback."""
    with _Server(("127.0.0.1", 0), Handler) as server:
        server.site = Site(address=f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.site
        finally:
            server.site.closing.set()
            server.shutdown()
            thread.join()


def plainly(body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Send the whole body, without ranges."""
    return lambda handler: handler.say(200, body, headers)


def status(code: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Send a status."""
    return lambda handler: handler.say(code, b"", headers)


def in_turn(*answers: Answer) -> Answer:
    """Give the first answer to the first question, and so on; the last one stays."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)


def resumable(
    body: bytes, *, tag: str = '"1"', name: str = "ETag", drops: int = 0, piece: int = 0
) -> Answer:
    """Honour Range and If-Range; drop the first ``drops`` connections after ``piece`` bytes."""
    left = [drops]

    def answer(handler: Handler) -> None:
        start = 0
        if handler.headers.get("If-Range") == tag:
            start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        headers = {name: tag, "Content-Length": str(len(body) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        part = body[start:]
        if left[0]:
            left[0] -= 1
            part = part[:piece]
        handler.say(206 if start else 200, part, headers)

    return answer


def sha256(data: bytes) -> str:
    """Return the SHA-256 as hex digits."""
    return hashlib.sha256(data).hexdigest()
