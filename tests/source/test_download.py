"""Downloads survive bad networks and hostile servers, and never grow beyond what is declared."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import Progress, no_progress
from pipeline.http.retry import RetryPolicy
from pipeline.source.download import download, read_page
from pipeline.source.expected_file import ExpectedFile
from tests.source.site import (
    HASTY,
    Answer,
    Handler,
    Site,
    in_turn,
    plainly,
    resumable,
    sha256,
    status,
)

BODY = bytes(range(256)) * 1200


class Get:
    """A download into a part of its own."""

    def __init__(self, folder: Path) -> None:
        self.part = folder / "x.part"
        self.said: list[str] = []
        self.amounts: list[Progress] = []

    def __call__(
        self, url: str, *, size: int | None = len(BODY), patience: RetryPolicy = HASTY
    ) -> bytes:
        wanted = ExpectedFile(size, {"sha256": sha256(BODY)})
        download(url, self.part, wanted, progress=self._say, policy=patience)
        return self.part.read_bytes()

    def _say(self, text: str, amount: Progress | None = None, /) -> None:
        self.said.append(text)
        if amount is not None:
            self.amounts.append(amount)

    def fails(
        self, url: str, *, size: int | None = len(BODY), patience: RetryPolicy = HASTY
    ) -> PipelineError:
        with pytest.raises(PipelineError) as caught:
            self(url, size=size, patience=patience)
        return caught.value


@pytest.fixture
def get(tmp_path: Path) -> Get:
    return Get(tmp_path)


def test_progress_is_told_in_bytes(site: Site, get: Get) -> None:
    assert get(site.put("/a", BODY)) == BODY
    assert get.said[-1] == "0.3 of 0.3 MB"
    assert get.amounts[-1] == Progress(len(BODY), len(BODY), of=f"{site.address}/a")


def test_a_dropped_connection_is_resumed_where_it_stopped(site: Site, get: Get) -> None:
    url = site.put("/a", resumable(BODY, drops=2, piece=1 << 16))
    assert get(url) == BODY
    assert site.ranges("/a") == [None, f"bytes={1 << 16}-", f"bytes={2 << 16}-"]
    assert any("the connection was dropped; retrying" in text for text in get.said)


def test_a_later_run_goes_on_from_the_part_of_an_earlier_one(site: Site, get: Get) -> None:
    url = site.put("/a", resumable(BODY, drops=9, piece=1 << 16))
    assert get.fails(url).code is Code.SOURCE_UNREACHABLE
    have = get.part.stat().st_size
    assert have >= 1 << 16
    site.put("/a", resumable(BODY))
    assert get(url) == BODY
    assert site.ranges("/a")[-1] == f"bytes={have}-"


def test_attempts_that_gain_are_not_counted(site: Site, get: Get) -> None:
    large = BODY * 40
    url = site.put("/a", resumable(large, drops=5, piece=2 << 20))
    assert HASTY.attempts < 6
    assert get(url, size=len(large)) == large


def test_a_date_serves_as_validator_too(site: Site, get: Get) -> None:
    date = "Wed, 01 Jan 2025 00:00:00 GMT"
    url = site.put("/a", resumable(BODY, tag=date, name="Last-Modified", drops=1, piece=1 << 16))
    assert get(url) == BODY
    assert site.ranges("/a") == [None, f"bytes={1 << 16}-"]


def test_a_weak_tag_does_not(site: Site, get: Get) -> None:
    assert get(site.put("/a", resumable(BODY, tag='W/"1"', drops=1, piece=1 << 16))) == BODY
    assert site.ranges("/a") == [None, None]


def test_without_a_validator_it_starts_anew(site: Site, get: Get) -> None:
    cut = plainly(BODY[: 1 << 16], {"Content-Length": str(len(BODY))})
    assert get(site.put("/a", in_turn(cut, plainly(BODY)))) == BODY
    assert site.ranges("/a") == [None, None]


def test_a_server_that_ignores_range_is_read_from_the_start(site: Site, get: Get) -> None:
    tag = {"ETag": '"1"'}
    cut = plainly(BODY[: 1 << 16], {"Content-Length": str(len(BODY)), **tag})
    assert get(site.put("/a", in_turn(cut, plainly(BODY, tag)))) == BODY
    assert site.ranges("/a") == [None, f"bytes={1 << 16}-"]


def test_content_that_changed_meanwhile_is_read_from_the_start(site: Site, get: Get) -> None:
    old = resumable(b"old" * 100_000, tag='"old"', drops=1, piece=1 << 16)
    assert get(site.put("/a", in_turn(old, resumable(BODY, tag='"new"')))) == BODY


def test_a_range_that_was_not_asked_for_is_not_joined(site: Site, get: Get) -> None:
    def other_range(handler: Handler) -> None:
        headers = {"Content-Range": f"bytes 5-{len(BODY) - 1}/{len(BODY)}", "ETag": '"1"'}
        handler.say(206, BODY[5:], headers)

    cut = plainly(BODY[: 1 << 16], {"Content-Length": str(len(BODY)), "ETag": '"1"'})
    assert get(site.put("/a", in_turn(cut, other_range, plainly(BODY)))) == BODY
    assert get.fails(site.put("/b", other_range)).code is Code.SOURCE_UNREACHABLE


def test_a_part_that_is_longer_than_the_file_is_dropped(site: Site, get: Get) -> None:
    cut = plainly(BODY[: 1 << 16], {"Content-Length": str(len(BODY)), "ETag": '"1"'})
    too_far = status(416, {"Content-Range": f"bytes */{len(BODY)}"})
    assert get(site.put("/a", in_turn(cut, too_far, plainly(BODY)))) == BODY
    assert site.ranges("/a") == [None, f"bytes={1 << 16}-", None]


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_an_error_of_the_server_is_tried_again(site: Site, get: Get, code: int) -> None:
    assert get(site.put("/a", in_turn(status(code), status(code), plainly(BODY)))) == BODY


def test_a_server_that_stays_broken_is_given_up(site: Site, get: Get) -> None:
    error = get.fails(site.put("/a", status(500)))
    assert error.code is Code.SOURCE_UNREACHABLE
    assert error.found == "status 500 Internal Server Error, 3 times"
    assert site.times("/a") == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451])
def test_what_will_not_change_is_asked_once(site: Site, get: Get, code: int) -> None:
    error = get.fails(site.put("/a", status(code)))
    assert f"status {code}" in error.found
    assert error.hint
    assert site.times("/a") == 1


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("7", 7.0),
        ("999999999999999999", 30.0),
        ("Wed, 01 Jan 2098 00:00:00 GMT", 30.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.5),
        ("soon", 0.5),
        ("-1", 0.5),
        ("²", 0.5),
    ],
)
def test_the_wait_that_a_server_asks_for_is_honoured_up_to_a_bound(
    site: Site, get: Get, monkeypatch: pytest.MonkeyPatch, header: str, waited: float
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answer = in_turn(status(429, {"Retry-After": header.encode().decode("latin-1")}), plainly(BODY))
    assert get(site.put("/a", answer), patience=RetryPolicy()) == BODY
    assert [wait for wait in waits if wait >= 0.5] == [waited]


def test_a_length_that_promises_more_is_a_drop(site: Site, get: Get) -> None:
    error = get.fails(
        site.put("/a", plainly(BODY, {"Content-Length": str(len(BODY) + 1)})), size=None
    )
    assert error.found == "the connection was dropped, 3 times"


@pytest.mark.parametrize("length", ["-5", "x", "²", "9" * 5000])
def test_a_length_that_is_no_number_harms_nothing(site: Site, get: Get, length: str) -> None:
    headers = {"Content-Length": length.encode().decode("latin-1")}
    url = site.put("/a", plainly(BODY, headers))
    assert outcome(get, url) in (BODY, Code.SOURCE_UNREACHABLE)


def outcome(get: Get, url: str) -> bytes | Code:
    try:
        return get(url)
    except PipelineError as error:
        return error.code


def test_a_length_beyond_the_declared_size_is_refused_before_writing(site: Site, get: Get) -> None:
    error = get.fails(site.put("/a", BODY), size=100)
    assert error.code is Code.SOURCE_MISMATCH
    assert (error.expected, error.found) == ("at most 100 bytes", f"{len(BODY)} bytes")
    assert not get.part.exists()


def endless(piece: bytes, pause: float = 0.0) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while not handler.server.site.closing.wait(pause):
            handler.wfile.write(piece)

    return answer


def test_an_endless_body_ends_at_the_declared_size(
    site: Site, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = 0
    whole_write = Path.open

    def watched(path: Path, *arguments: str, **named: object) -> object:
        stream = whole_write(path, *arguments, **named)  # type: ignore[call-overload] # passed on
        if path == get.part:
            write = stream.write

            def count(data: bytes) -> int:
                nonlocal largest
                largest += len(data)
                return int(write(data))

            stream.write = count
        return stream

    monkeypatch.setattr(Path, "open", watched)
    error = get.fails(site.put("/a", endless(b"x" * 4096)), size=1_000_000)
    assert error.code is Code.SOURCE_MISMATCH
    # Several times what one read returns, so that something is written.
    assert 0 < largest <= 1_000_000
    assert not get.part.exists()


def test_a_server_that_falls_silent_is_given_up(site: Site, get: Get) -> None:
    def silent(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.flush()
        handler.server.site.closing.wait()

    error = get.fails(site.put("/a", silent), patience=replace(HASTY, read=0.1))
    assert error.found == "timed out waiting for data, 3 times"


def drip_header(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.site.closing.wait(0.02):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def drip_chunk_line(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not handler.server.site.closing.wait(0.02):
        handler.wfile.write(b"0")
        handler.wfile.flush()


@pytest.mark.parametrize("drip", [drip_header, drip_chunk_line, endless(b"x", 0.02)])
def test_a_server_that_drips_is_given_up_in_the_end(site: Site, get: Get, drip: Answer) -> None:
    error = get.fails(site.put("/a", drip), patience=replace(HASTY, total=0.5))
    assert error.code is Code.SOURCE_UNREACHABLE
    assert error.found == "timed out after 0.5 s"


def test_a_name_that_takes_for_ever_to_resolve_is_given_up(
    site: Site, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forever(*arguments: object, **named: object) -> list[object]:
        site.closing.wait()
        raise socket.gaierror

    url = site.put("/a", BODY)
    monkeypatch.setattr(socket, "getaddrinfo", forever)
    error = get.fails(url, patience=replace(HASTY, total=0.3))
    assert error.found == "timed out after 0.3 s"


def test_a_name_that_does_not_resolve_gets_a_hint_about_the_network(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object, **named: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    error = get.fails("https://me:hush@models.example/a?token=hush")
    assert error.found == "could not resolve the host name, 3 times"
    assert "network" in error.hint
    assert "proxy" in error.hint
    assert "mirror" in error.hint
    assert "hush" not in error.render() + " ".join(get.said)
    assert error.where == "https://models.example/a?…"


def test_a_refused_connection_is_told(get: Get) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:hush@127.0.0.1:{taken.getsockname()[1]}/a?token=hush"
        error = get.fails(url)
    assert error.found == "the connection was refused, 3 times"
    assert "hush" not in error.render() + " ".join(get.said)


def test_a_redirect_within_this_machine_is_followed(site: Site, get: Get) -> None:
    site.put("/real", BODY)
    assert get(site.put("/a", status(302, {"Location": "/real"}))) == BODY


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/hostname",
        "http://models.example/a",
        "http://169.254.169.254/latest",
        "ftp://models.example/a",
        "//models.example/a",
        "gopher:x",
        "data:text/plain,hello",
        "http://[::1",
        "http://me:hush@models.example/a?hush",
    ],
)
def test_a_redirect_away_from_https_is_not_followed(
    site: Site, get: Get, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    resolved: list[object] = []
    resolve = socket.getaddrinfo

    def watched(host: str, *arguments: object, **named: object) -> object:
        resolved.append(host)
        return resolve(host, *arguments, **named)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(socket, "getaddrinfo", watched)
    error = get.fails(site.put("/a", status(302, {"Location": target})))
    assert error.code is Code.SOURCE_UNREACHABLE
    assert error.found.startswith("redirect to ")
    assert "hush" not in error.render()
    assert set(resolved) <= {"127.0.0.1"}
    assert site.times("/a") == 1


def test_the_body_of_a_redirect_is_not_read(site: Site, get: Get) -> None:
    def flood(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/real")
        handler.end_headers()
        while not handler.server.site.closing.is_set():
            handler.wfile.write(b"x" * 65536)

    site.put("/real", BODY)
    # Nothing but the end of the server would end such a body.
    assert get(site.put("/a", flood), patience=replace(HASTY, total=5.0)) == BODY


def test_a_circle_of_redirects_ends(site: Site, get: Get) -> None:
    error = get.fails(site.put("/a", status(302, {"Location": "/a"})))
    assert error.found == "more than 10 redirects"


def test_a_body_that_is_declared_as_gzip_is_taken_as_it_is(site: Site, get: Get) -> None:
    packed = gzip.compress(BODY)
    url = site.put("/a.tar.gz", plainly(packed, {"Content-Encoding": "gzip"}))
    assert get(url, size=len(packed)) == packed


def test_the_words_of_a_server_cannot_steer_the_terminal(site: Site, get: Get) -> None:
    def coloured(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 418 \x1b[31mred\r\nContent-Length: 0\r\n\r\n")

    assert "\x1b" not in get.fails(site.put("/a", coloured)).render()


@pytest.mark.parametrize(
    "words",
    [b"", b"\0\1\2", b"HTTP/1.1 banana\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500],
)
def test_what_is_no_http_is_one_clear_error(site: Site, get: Get, words: bytes) -> None:
    error = get.fails(site.put("/a", lambda handler: void(handler.wfile.write(words))))
    assert error.code is Code.SOURCE_UNREACHABLE


def void(_: object) -> None:
    pass


def test_a_page_is_bounded(site: Site) -> None:
    url = site.put("/a", endless(b"x" * 4096))
    with pytest.raises(PipelineError, match="could not be fetched") as caught:
        read_page(url, accept="*/*", limit=100_000, progress=no_progress, policy=HASTY)
    assert caught.value.found == "more than 100000 bytes"


@pytest.fixture(autouse=True)
def no_thread_is_left_with_an_error() -> Iterator[None]:
    """Let a fault in a talking thread fail the test: none may go unseen."""
    import threading

    seen: list[object] = []
    before, threading.excepthook = threading.excepthook, seen.append
    yield
    threading.excepthook = before
    assert seen == []
