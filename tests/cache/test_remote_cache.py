"""A remote cache: what one machine keeps another gets, and no server can break or poison it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from urllib3.connection import HTTPConnection

from pipeline.cache.action_records import Record
from pipeline.cache.digest import Digest
from pipeline.cache.objects import Objects
from pipeline.cache.remote.bucket_store import BucketStore
from pipeline.cache.remote.http_store import HttpStore
from pipeline.cache.remote.remote_cache import RemoteCache
from pipeline.cache.remote.remote_store import MOST_RECORD_BYTES, RemoteStore
from pipeline.errors import Code, PipelineError
from tests.cache.servers import free_port, lying, nginx, s3

DATA = b"an output" * 1000
DIGEST = Digest.of_bytes(DATA)
KEY = "ab" * 32
RECORD = Record(action="ir:net", outputs={"xml": {"": DIGEST}}, seconds=1.5)


@pytest.fixture(scope="module")
def token() -> str:
    return "a-token-that-is-never-shown"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory, token: str) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx"), token) as url:
        yield url


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    import boto3

    with s3() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, text in (
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", endpoint),
        ):
            patch.setenv(name, text)
        boto3.client("s3").create_bucket(Bucket="fixtures")
        yield "s3://fixtures/cache"


@pytest.fixture(params=["http", "bucket", "folder"])
def remote(request: pytest.FixtureRequest, token: str, tmp_path: Path) -> RemoteStore:
    """Return a cache on a real server: nginx, one that speaks S3, or fsspec's plain folder."""
    if request.param == "http":
        url = request.getfixturevalue("http")
        return HttpStore(f"{url}/{tmp_path.name}", token=token, seconds=20)
    if request.param == "bucket":
        url = request.getfixturevalue("bucket")
        return BucketStore(f"{url}/{tmp_path.name}", seconds=20)
    return BucketStore(f"file://{tmp_path}/remote", seconds=20)


def objects(folder: Path, *data: bytes) -> Objects:
    kept = Objects(folder)
    for each in data:
        source = folder / "source"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_bytes(each)
        kept.put(source, Digest.of_bytes(each))
    return kept


def test_what_one_machine_gives_another_gets(remote: RemoteStore, tmp_path: Path) -> None:
    giver, taker = objects(tmp_path / "one", DATA), objects(tmp_path / "two")
    assert RemoteCache(remote, write=False).record(KEY) is None
    assert not RemoteCache(remote, write=False).fetch_object(DIGEST, taker)
    RemoteCache(remote, write=True).upload(KEY, RECORD, giver)
    RemoteCache(remote, write=True).upload(KEY, RECORD, giver)
    assert RemoteCache(remote, write=False).record(KEY) == RECORD
    assert RemoteCache(remote, write=False).fetch_object(DIGEST, taker)
    assert taker.path(DIGEST).read_bytes() == DATA


def test_nothing_is_given_where_only_reading_was_asked_for(
    remote: RemoteStore, tmp_path: Path
) -> None:
    RemoteCache(remote, write=False).upload(KEY, RECORD, objects(tmp_path / "one", DATA))
    assert RemoteCache(remote, write=False).record(KEY) is None


def test_an_empty_object_travels_too(remote: RemoteStore, tmp_path: Path) -> None:
    empty = Digest.of_bytes(b"")
    record = Record(action="a", outputs={"log": {"": empty}}, seconds=0)
    RemoteCache(remote, write=True).upload(KEY, record, objects(tmp_path / "one", b""))
    taker = objects(tmp_path / "two")
    assert RemoteCache(remote, write=False).fetch_object(empty, taker)


def test_a_wrong_token_is_told_once_and_never_shown(
    http: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = RemoteCache(HttpStore(http, token="wrong-secret", seconds=5), write=True)
    for _ in range(3):
        assert shared.record(KEY) is None
    shared.upload(KEY, RECORD, objects(tmp_path / "one", DATA))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "access denied (HTTP 401)" in said
    assert "wrong-secret" not in said


def test_a_record_is_only_believed_from_those_who_know_the_secret(
    remote: RemoteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    giver = objects(tmp_path / "one", DATA)
    RemoteCache(remote, write=True, secret=b"ours").upload(KEY, RECORD, giver)
    assert RemoteCache(remote, write=False, secret=b"ours").record(KEY) == RECORD
    assert RemoteCache(remote, write=False, secret=b"theirs").record(KEY) is None
    assert "signature is invalid" in capsys.readouterr().err
    remote.put_record(KEY, remote.get_record(KEY).replace(b"1.5", b"9.5"))  # type: ignore[union-attr]
    assert RemoteCache(remote, write=False, secret=b"ours").record(KEY) is None


def test_another_keys_record_is_not_taken(remote: RemoteStore, tmp_path: Path) -> None:
    RemoteCache(remote, write=True).upload(KEY, RECORD, objects(tmp_path / "one", DATA))
    data = remote.get_record(KEY)
    assert data is not None
    remote.put_record("cd" * 32, data)
    assert RemoteCache(remote, write=False).record("cd" * 32) is None


def reply(
    status: int, body: bytes, *, length: int | None = None, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        for name, text in headers.items():
            handler.send_header(name, text)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(10_000):
            handler.wfile.write(bytes(1 << 20))
    except OSError:
        pass


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        for each in DATA:
            handler.wfile.write(bytes([each]))
            time.sleep(0.2)
    except OSError:
        pass


def hanging(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(5)


def record_of(*paths: str, mac: str = "", seconds: float = 1, size: int = DIGEST.size) -> bytes:
    outputs = {"evidence/": {path: {"sha256": DIGEST.sha256, "size": size} for path in paths}}
    record = {"action": "a", "outputs": outputs, "seconds": seconds}
    return json.dumps({"key": KEY, "mac": mac, "record": record}).encode()


LIES = {
    "other bytes of the same size": (reply(200, DATA[::-1]), "does not match its digest"),
    "fewer bytes": (reply(200, DATA[:-1]), "does not match its digest"),
    "more bytes": (reply(200, DATA + b"x"), f"more than {len(DATA)} bytes"),
    "bytes without end": (endless, f"more than {len(DATA)} bytes"),
    "bytes that stop in the middle": (
        reply(200, DATA[:100], length=len(DATA)),
        "connection was dropped",
    ),
    "one byte now and then": (dripping, "timed out after"),
    "nothing at all": (hanging, "timed out"),
    "an error": (reply(500, b"oops"), "status 500"),
    "a refusal": (reply(403, b"no"), "access denied"),
    "another address": (reply(302, b"", Location="file:///etc/hostname"), "redirects"),
    "a page": (reply(200, b"<html>please log in</html>"), "does not match its digest"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_sends(lie: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, reason = LIES[lie]
    taker = objects(tmp_path / "two")
    with lying(answer) as url:
        shared = RemoteCache(HttpStore(url, token=None, seconds=1), write=False)
        for _ in range(4):
            assert not shared.fetch_object(DIGEST, taker)
    assert not taker.path(DIGEST).exists()
    assert not list((tmp_path / "two").rglob("*.part"))
    said = capsys.readouterr().err
    assert reason in said
    assert "disabled for the rest of this run" in said
    assert said.count("\n") <= 2


BAD_RECORDS = {
    "no JSON": b"\xff\x00",
    "a page": b"<html></html>",
    "one that is deep": b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too large": b" " * (MOST_RECORD_BYTES + 1),
    "another key's": json.dumps(
        {"key": "cd" * 32, "mac": "", "record": {"action": "a", "outputs": {}, "seconds": 1}}
    ).encode(),
    "one with a path upwards": record_of("../../../.bashrc"),
    "one with an absolute path": record_of("/etc/passwd"),
    "one with a drive": record_of("c:evil"),
    "one with a long name": record_of("a" * 256),
    "one with a long path": record_of("/".join(["a" * 200] * 30)),
    "one with a file in a file": record_of("a", "a/b"),
    "one with a file in a file further down": record_of("a/b", "x", "a/b/c/d"),
    "one with a file beside itself": record_of("", "a"),
    "one of negative time": record_of("a", seconds=-1),
    "one with an endless object": record_of("a", size=1 << 60),
    "one with half a letter": record_of("a").replace(b'"a"', b'"\\ud800"'),
    "one with a wrong digest": record_of("a").replace(DIGEST.sha256.encode(), b"../../x"),
}


@pytest.mark.parametrize("kind", BAD_RECORDS)
def test_a_record_that_cannot_be_used(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    with lying(reply(200, BAD_RECORDS[kind])) as url:
        remote = HttpStore(url, token=None, seconds=5)
        assert RemoteCache(remote, write=False).record(KEY) is None
    assert capsys.readouterr().err.count("warning: the remote cache") == 1


@pytest.mark.parametrize("mac", ["é", "0" * 64, "\U0001f600", ""])
def test_a_signature_that_is_none(mac: str, capsys: pytest.CaptureFixture[str]) -> None:
    with lying(reply(200, record_of("a", mac=mac))) as url:
        remote = HttpStore(url, token=None, seconds=5)
        assert RemoteCache(remote, write=False, secret=b"ours").record(KEY) is None
    assert "a record's signature is invalid" in capsys.readouterr().err


def test_files_in_folders_are_taken() -> None:
    with lying(reply(200, record_of("a/b", "a/c", "ab"))) as url:
        remote = HttpStore(url, token=None, seconds=5)
        record = RemoteCache(remote, write=False).record(KEY)
    assert record is not None
    assert set(record.outputs["evidence/"]) == {"a/b", "a/c", "ab"}


def test_connections_are_reused(http: str, token: str, tmp_path: Path) -> None:
    remote = HttpStore(f"{http}/{tmp_path.name}", token=token, seconds=20)
    giver = objects(tmp_path / "one", DATA)
    opened: list[HTTPConnection] = []
    connect = HTTPConnection.connect

    def counted(connection: HTTPConnection) -> None:
        opened.append(connection)
        connect(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPConnection, "connect", counted)
        assert remote.get_record(KEY) is None
        RemoteCache(remote, write=True).upload(KEY, RECORD, giver)
        assert remote.get_record(KEY)
        assert remote.get_object(DIGEST, tmp_path / "object")
    assert len(opened) == 1


def test_a_dead_server_is_given_up_soon(capsys: pytest.CaptureFixture[str]) -> None:
    remote = HttpStore(f"http://127.0.0.1:{free_port()}", token=None, seconds=5)
    shared = RemoteCache(remote, write=True)
    for _ in range(20):
        assert shared.record(KEY) is None
    assert capsys.readouterr().err.count("\n") == 2


def test_a_token_is_not_taken_along_to_another_place(tmp_path: Path) -> None:
    seen: list[str] = []

    def listen(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization", ""))
        reply(404, b"")(handler)

    with lying(listen) as other, lying(reply(307, b"", Location=f"{other}/x")) as url:
        RemoteCache(HttpStore(url, token="t", seconds=5), write=False).record(KEY)
    assert seen == []


def test_a_password_in_the_address_is_not_shown() -> None:
    remote = HttpStore("https://user:secret@cache.example/x", token=None, seconds=5)
    assert remote.describe() == "https://cache.example/x"


def test_a_place_that_fsspec_does_not_know() -> None:
    with pytest.raises(PipelineError) as caught:
        BucketStore("nowhere://bucket/folder", seconds=20)
    assert caught.value.code is Code.CONFIG
