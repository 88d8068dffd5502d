"""A server on loopback that speaks HTTP badly, in one of many ways."""

from __future__ import annotations

import gzip
import socketserver
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from socket import SO_LINGER, SOL_SOCKET
from threading import Event, Thread

OK = b"HTTP/1.1 200 OK\r\n"
# Shorter than a client waits for the next byte.
PAUSE = 0.005


@dataclass
class Talk:
    """One request and the connection to answer it on."""

    send: Callable[[bytes], object]
    reset: Callable[[], None]
    path: str
    head: bytes
    count: int
    address: str
    good: bytes
    closing: Event

    def drip(self, text: bytes, pause: float = PAUSE) -> None:
        """Send byte by byte, and the last one again for ever."""
        for each in text:
            self.send(bytes([each]))
            self.closing.wait(pause)
        self.flood(text[-1:], pause)

    def flood(self, piece: bytes, pause: float = 0.0, *, head: bytes = b"") -> None:
        """Send the same for ever, after ``head``."""
        self.send(head)
        while not self.closing.wait(pause):
            self.send(piece)

    def say(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """Send a whole response."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        given = {header.partition(":")[0] for header in headers}
        lines = [line for line in lines if line.partition(":")[0] not in given] + list(headers)
        self.send("\r\n".join((*lines, "", "")).encode("latin-1") + body)


Way = Callable[[Talk], object]


def partly_then_reset(talk: Talk) -> None:
    talk.send(OK + b"Content-Length: 100000\r\n\r\n" + b"{" * 1000)
    talk.reset()


@cache
def bomb() -> bytes:
    return gzip.compress(bytes(50 << 20))


# Each of these goes on until the client gives up.
ENDLESS: dict[str, Way] = {
    "nothing": lambda talk: talk.closing.wait(),
    "a status line that drips": lambda talk: talk.drip(b"HTTP/1.1 2"),
    "headers that drip": lambda talk: talk.drip(OK + b"X-Slow: x"),
    "a body that drips": lambda talk: talk.drip(OK + b"\r\n "),
    "a body that drips below its length": lambda talk: talk.drip(
        OK + b"Content-Length: 999999\r\n\r\n ", 0.02
    ),
    "chunks that drip": lambda talk: talk.drip(OK + b"Transfer-Encoding: chunked\r\n\r\n0"),
    "interim responses for ever": lambda talk: talk.flood(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "interim responses that drip": lambda talk: talk.flood(
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", PAUSE
    ),
    "a body that stalls": lambda talk: (talk.send(OK + b"\r\n{"), talk.closing.wait()),
}
ENDING: dict[str, Way] = {
    "headers for ever": lambda talk: talk.flood(b"X-More: y\r\n", head=OK),
    "one header for ever": lambda talk: talk.flood(b"y" * 4096, head=OK + b"X: "),
    "large headers": lambda talk: talk.say(
        talk.good, *[f"X-{number}: {'y' * 8000}" for number in range(50)]
    ),
    "a body for ever": lambda talk: talk.flood(b" " * 65536, head=OK + b"\r\n"),
    "chunks for ever": lambda talk: talk.flood(
        b"10000\r\n" + b" " * 65536 + b"\r\n",
        head=OK + b"Transfer-Encoding: chunked\r\n\r\n",
    ),
    "a redirect to itself": lambda talk: talk.say(
        b"", f"Location: {talk.path}", status="302 Found"
    ),
    "redirects for ever": lambda talk: talk.say(
        b"", f"Location: {talk.path}/x", status="307 Temporary Redirect"
    ),
    "a redirect to plain http": lambda talk: talk.say(
        b"", "Location: http://models.example/a", status="302 Found"
    ),
    "a redirect to a file": lambda talk: talk.say(
        b"", "Location: file:///etc/hostname", status="301 Moved Permanently"
    ),
    "a redirect to nowhere": lambda talk: talk.say(
        b"", "Location: http://[::1", status="302 Found"
    ),
    "a length that is too long": lambda talk: talk.say(
        talk.good, f"Content-Length: {len(talk.good) + 5}"
    ),
    "a length that is too short": lambda talk: talk.say(
        talk.good, f"Content-Length: {len(talk.good) - 5}"
    ),
    "a length beyond measure": lambda talk: talk.say(talk.good, f"Content-Length: {'9' * 5000}"),
    "two lengths": lambda talk: talk.say(talk.good, "Content-Length: 1", "Content-Length: 2"),
    "a compressed bomb": lambda talk: talk.say(bomb(), "Content-Encoding: gzip"),
    "what is not compressed": lambda talk: talk.say(b"{}{}", "Content-Encoding: gzip"),
    "too many requests": lambda talk: talk.say(
        b"", "Retry-After: 99999999", status="429 Too Many Requests"
    ),
    "an error": lambda talk: talk.say(b"oops", status="500 Internal Server Error"),
    "a refusal": lambda talk: talk.say(b"", status="403 Forbidden"),
    "a login": lambda talk: talk.say(
        b"", 'WWW-Authenticate: Bearer realm="http://models.example/t"', status="401 Unauthorized"
    ),
    "an odd login": lambda talk: talk.say(
        b"", 'WWW-Authenticate: Bearer realm=",=="x', status="401 Unauthorized"
    ),
    "a reset": partly_then_reset,
    "other bytes": lambda talk: talk.say(talk.good[::-1]),
    "a number": lambda talk: talk.say(b"5"),
    "JSON of another shape": lambda talk: talk.say(b'{"tags": {"a": 1}, "fixtures": [7]}'),
    "deep JSON": lambda talk: talk.say(b'{"tags":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "half a letter": lambda talk: talk.say(b'{"tags": ["\\ud800"], "\xff": 1}'),
    "a page": lambda talk: talk.say(b"<!doctype html><h1>Log in</h1>"),
    "another range": lambda talk: talk.say(
        talk.good[5:], "Content-Range: bytes 5-9/10", status="206 Partial Content"
    ),
    "no such range": lambda talk: talk.say(b"", status="416 Range Not Satisfiable"),
    "TLS": lambda talk: talk.send(b"\x15\x03\x01\x00\x02\x02\x46" * 10),
    "another protocol": lambda talk: talk.send(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "no header at all": lambda talk: talk.send(b"\r\n\r\n"),
    "a goodbye": lambda talk: talk.reset(),
    "chunks of no size": lambda talk: talk.send(
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"
    ),
}


def recovering(talk: Talk) -> None:
    """Fail at the first request, then answer."""
    if talk.count == 1:
        talk.say(b"", "Retry-After: 0", status="503 Service Unavailable")
    else:
        talk.say(talk.good)


@dataclass
class BadServer:
    """Where it listens and what it was asked."""

    address: str
    paths: list[str] = field(default_factory=list)


@contextmanager
def speaking(way: Way, good: bytes, tls: ssl.SSLContext | None = None) -> Iterator[BadServer]:
    """Yield a server that answers each request so; ``good`` is what the client hopes for."""
    closing = Event()

    class Handler(socketserver.StreamRequestHandler):
        wbufsize = 0

        def setup(self) -> None:
            if tls is not None:
                self.request = tls.wrap_socket(self.request, server_side=True)
            super().setup()

        def handle(self) -> None:
            with suppress(OSError, ValueError):
                self.connection.settimeout(20)
                path = self.rfile.readline(65536).split(b" ")[1].decode()
                received = iter(self.rfile.readline, b"")
                lines = list(takewhile(lambda line: line != b"\r\n", received))
                found.paths.append(path)
                talk = Talk(
                    self.connection.sendall,
                    self.reset,
                    path,
                    b"".join(lines),
                    len(found.paths),
                    found.address,
                    good,
                    closing,
                )
                way(talk)

        def reset(self) -> None:
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        allow_reuse_address = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what this is about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        scheme = "http" if tls is None else "https"
        found = BadServer(f"{scheme}://127.0.0.1:{server.server_address[1]}")
        thread = Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield found
        finally:
            closing.set()
            server.shutdown()
            thread.join()
