"""The registry client: lists in pages, and logins that go to nobody else."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.cache.digest import Digest
from pipeline.errors import PipelineError
from pipeline.execution.progress import no_progress
from pipeline.publish.places.oci_auth import Login, find_login
from pipeline.publish.places.oci_client import OciClient
from pipeline.publish.places.open_place import open_origin
from pipeline.publish.release.release_index import choose
from pipeline.source.download_cache import DownloadCache
from tests.source.site import HASTY, Handler, Site, serving, status

TAGS = [f"1.{number}" for number in range(25)]
LIST = "/v2/nn/tiny/tags/list"
BLOB = b"a blob"
DIGEST = Digest.of_bytes(BLOB)


@pytest.fixture
def server() -> Iterator[Site]:
    with serving() as site:
        yield site


def client(server: Site) -> OciClient:
    return OciClient(f"{server.address.removeprefix('http://')}/nn", HASTY)


def paginate(server: Site, link: str) -> None:
    """Answer with ten tags at a time; ``link`` is the address of the next page."""

    def answer(handler: Handler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        start = TAGS.index(query["last"][0]) + 1 if query else 0
        page = TAGS[start : start + 10]
        headers = {}
        if start + 10 < len(TAGS):
            headers["Link"] = f'<{link}?n=10&last={page[-1]}>; rel="next"'
        handler.say(200, json.dumps({"name": "nn/tiny", "tags": page}).encode(), headers)

    server.put(LIST, answer)


@pytest.mark.parametrize("kind", ["path", "absolute", "another scheme"])
def test_all_pages_of_tags_are_read_so_the_newest_is_found(
    server: Site, tmp_path: Path, kind: str
) -> None:
    link = {
        "path": LIST,
        "absolute": server.address + LIST,
        "another scheme": server.address.replace("http:", "https:") + LIST,
    }[kind]
    paginate(server, link)
    source = f"{server.address.replace('http://', 'oci://')}/nn"
    origin = open_origin(source, DownloadCache(tmp_path, False, no_progress, HASTY))
    assert list(origin.versions("tiny")) == TAGS
    assert choose("", origin.versions("tiny"), "") == "1.24"
    assert choose("1", origin.versions("tiny"), "") == "1.24"


def test_a_page_on_another_server_is_an_error(server: Site) -> None:
    with serving() as other:
        paginate(server, other.address + LIST)
        with pytest.raises(PipelineError) as caught:
            client(server).tags("tiny")
        assert "invalid URL" in caught.value.found
        assert other.asked == []


def test_pages_for_ever_are_an_error(server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.publish.places.oci_client._MOST_PAGES", 7)
    server.put(
        LIST,
        lambda handler: handler.say(
            200, b'{"tags": ["1.0"]}', {"Link": f'<{LIST}?n=1&last=1.0>; rel="next"'}
        ),
    )
    with pytest.raises(PipelineError) as caught:
        client(server).tags("tiny")
    assert "more than 7 pages" in caught.value.found
    assert server.times(LIST) == 7


def test_tags_without_number_are_an_error(server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.publish.places.oci_client._MOST_TAGS", 15)
    paginate(server, LIST)
    with pytest.raises(PipelineError) as caught:
        client(server).tags("tiny")
    assert "more than 15 tags" in caught.value.found


def test_all_pages_have_one_deadline(server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes on by a minute with each page."""
    minutes = [0.0]
    monkeypatch.setattr("pipeline.http.retry.time", Clock(minutes))
    monkeypatch.setattr("pipeline.http.client.time", Clock(minutes))

    def answer(handler: Handler) -> None:
        minutes[0] += 1
        link = {"Link": f'<{LIST}?n=1&last=1.0>; rel="next"'}
        handler.say(200, b'{"tags": ["1.0"]}', link)

    server.put(LIST, answer)
    with pytest.raises(PipelineError) as caught:
        OciClient(f"{server.address.removeprefix('http://')}/nn").tags("tiny")
    assert caught.value.found == "timed out after 120 s"
    assert server.times(LIST) <= 3


class Clock:
    """A clock that is some minutes ahead."""

    def __init__(self, minutes: list[float]) -> None:
        self._minutes = minutes

    def monotonic(self) -> float:
        return time.monotonic() + self._minutes[0] * 60

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@pytest.mark.parametrize(
    "body", [b'{"tags": 5}', b"[]", b"null", b'{"tags": [1]}', b'{"tags": [null]}', b"\xff", b""]
)
def test_an_odd_list_of_tags_is_an_error(server: Site, body: bytes) -> None:
    server.put(LIST, body)
    with pytest.raises(PipelineError, match="The registry request failed"):
        client(server).tags("tiny")


@pytest.mark.parametrize("body", [b'{"tags": null}', b'{"name": "nn/tiny"}', b'{"tags": []}'])
def test_no_tags_are_none(server: Site, body: bytes) -> None:
    server.put(LIST, body)
    assert client(server).tags("tiny") == []


def log_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **entry: object) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    (folder / "config.json").write_text(json.dumps(entry))


def registry_with_tokens(server: Site, realm: str) -> None:
    """Take blobs from those who have a token for their repository and what they do there."""

    def authorised(handler: Handler) -> bool:
        scope = "pull,push" if handler.command in ("POST", "PUT") else "pull"
        if handler.headers.get("Authorization") == f"Bearer token-{scope}":
            return True
        challenge = f'Bearer realm="{realm}",service="s",scope="repository:nn/tiny:{scope}"'
        handler.say(401, b"", {"WWW-Authenticate": challenge})
        return False

    def start(handler: Handler) -> None:
        if authorised(handler):
            handler.say(202, b"", {"Location": "/upload?state=1"})

    def finish(handler: Handler) -> None:
        if authorised(handler):
            data = handler.rfile.read(int(handler.headers["Content-Length"]))
            handler.say(201 if data == BLOB else 400, b"")

    def look(handler: Handler) -> None:
        if authorised(handler):
            handler.say(404, b"")

    server.put("/v2/nn/tiny/blobs/uploads/", start)
    server.put("/upload", finish)
    server.put(f"/v2/nn/tiny/blobs/sha256:{DIGEST.sha256}", look)


def give_tokens(server: Site, login: str) -> None:
    def answer(handler: Handler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        assert query["service"] == ["s"]
        if handler.headers.get("Authorization") != login:
            return handler.say(401, b"")
        scope = query["scope"][0].rpartition(":")[2]
        return handler.say(200, json.dumps({"token": f"token-{scope}"}).encode())

    server.put("/token", answer)


BASIC = f"Basic {base64.b64encode(b'alice:hush').decode()}"


def test_a_login_is_exchanged_for_a_token_of_each_scope(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    log_in(tmp_path, monkeypatch, auths={host: {"auth": BASIC.removeprefix("Basic ")}})
    registry_with_tokens(server, f"{server.address}/token")
    give_tokens(server, BASIC)
    registry = client(server)
    assert not registry.has_blob("tiny", DIGEST)
    for _ in range(2):
        registry.put_blob("tiny", DIGEST, BLOB)
    assert server.times("/token") == 2
    # The password is told to the token service alone.
    assert {path for path, headers in server.asked if headers.get("Authorization") == BASIC} == {
        "/token"
    }


def test_a_wrong_password_is_one_error_that_does_not_show_it(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    log_in(tmp_path, monkeypatch, auths={host: {"auth": BASIC.removeprefix("Basic ")}})
    registry_with_tokens(server, f"{server.address}/token")
    give_tokens(server, "Basic other")
    with pytest.raises(PipelineError, match="The registry request failed") as caught:
        client(server).put_blob("tiny", DIGEST, BLOB)
    assert "docker login" in caught.value.hint
    assert "hush" not in caught.value.render()


def test_a_login_is_not_taken_along_to_where_a_blob_is(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    log_in(tmp_path, monkeypatch, auths={host: {"auth": BASIC.removeprefix("Basic ")}})
    with serving() as storage:
        storage.put("/blob", BLOB)

        def answer(handler: Handler) -> None:
            if handler.headers.get("Authorization") == BASIC:
                return status(307, {"Location": f"{storage.address}/blob"})(handler)
            return status(401, {"WWW-Authenticate": 'Basic realm="r"'})(handler)

        server.put(f"/v2/nn/tiny/blobs/sha256:{DIGEST.sha256}", answer)
        assert client(server).has_blob("tiny", DIGEST)
        [(_, headers)] = storage.asked
        assert "Authorization" not in headers


@pytest.mark.parametrize("location", ["http://models.example/x", "file:///etc/passwd", "//[::1"])
def test_an_upload_goes_nowhere_else(server: Site, location: str) -> None:
    server.put("/v2/nn/tiny/blobs/uploads/", status(202, {"Location": location}))
    with pytest.raises(PipelineError, match="The registry request failed"):
        client(server).put_blob("tiny", DIGEST, BLOB)


def test_where_docker_keeps_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = base64.b64encode(b"alice:a:b").decode()
    helper = tmp_path / "docker-credential-mine"
    helper.write_text(
        "#!/bin/sh\nread -r host\n"
        'test "$host" = helped.example && echo \'{"Username": "bob", "Secret": "s"}\' && exit 0\n'
        'test "$host" = token.example && echo \'{"Username": "<token>", "Secret": "t"}\' && exit\n'
        "echo none; exit 1\n"
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    log_in(
        tmp_path,
        monkeypatch,
        auths={
            "a.example": {"auth": encoded},
            "https://b.example/v1/": {"auth": encoded},
            "https://index.docker.io/v1/": {"auth": encoded},
            "c.example": {"identitytoken": "i"},
            "d.example": {"auth": "no base64"},
            "e.example": 5,
            "stored.example": {},
        },
        credHelpers={"helped.example": "mine", "token.example": "mine", "x.example": "../mine"},
    )
    found = {
        host: find_login(f"{host}.example")
        for host in ("a", "b", "c", "d", "e", "stored", "helped", "token", "x", "unknown")
    }
    assert {host: login for host, login in found.items() if login} == {
        "a": Login("alice", "a:b"),
        "b": Login("alice", "a:b"),
        "c": Login("", "i"),
        "helped": Login("bob", "s"),
        "token": Login("", "t"),
    }
    assert find_login("registry-1.docker.io") == Login("alice", "a:b")
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert find_login("a.example") is None
    monkeypatch.setenv("ORAS_USER", "carol")
    monkeypatch.setenv("ORAS_PASS", "p")
    assert find_login("a.example") is None
    monkeypatch.setenv("WASI_NN_HOSTS", "ORAS_PASS=https://a.example")
    assert find_login("a.example") == Login("carol", "p")
    assert find_login("other.example") is None


def test_an_identity_token_is_exchanged(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = server.address.removeprefix("http://")
    log_in(tmp_path, monkeypatch, auths={host: {"identitytoken": "refresh"}})
    registry_with_tokens(server, f"{server.address}/token")
    forms: list[dict[str, list[str]]] = []

    def answer(handler: Handler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        forms.append(parse_qs(body.decode()))
        handler.say(200, b'{"access_token": "token-pull,push"}')

    server.put("/token", answer)
    client(server).put_blob("tiny", DIGEST, BLOB)
    [form] = forms
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["refresh"])
    assert form["scope"] == ["repository:nn/tiny:pull,push"]


@pytest.mark.parametrize("realm", ["http://models.example/t", "file:///t", "", "//[::1"])
def test_a_login_goes_to_no_odd_token_service(
    server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, realm: str
) -> None:
    host = server.address.removeprefix("http://")
    log_in(tmp_path, monkeypatch, auths={host: {"auth": BASIC.removeprefix("Basic ")}})
    registry_with_tokens(server, realm)
    with pytest.raises(PipelineError, match="The registry request failed"):
        client(server).put_blob("tiny", DIGEST, BLOB)
