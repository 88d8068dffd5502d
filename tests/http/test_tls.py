"""The client over TLS: certificates, redirects to plain http, and servers that speak badly."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.http.client import THREAD_NAME, HttpClient
from pipeline.http.retry import PermanentError, RequestDeadline, RetryPolicy, with_retries
from tests.http.bad_server import ENDLESS, Way, speaking
from tests.programs import require_program

HASTY = RetryPolicy(connect=30.0, read=0.2, total=0.5, attempts=2, first_wait=0.01)
PATIENT = replace(HASTY, read=30.0, total=60.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate of 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *(require_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
            *("-keyout", str(folder / "key"), "-out", str(folder / "certificate")),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both"
    both.write_bytes((folder / "certificate").read_bytes() + (folder / "key").read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return the server's side; the client trusts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return context


def get(url: str, policy: RetryPolicy, **headers: str) -> bytes:
    client = HttpClient(policy)

    def attempt(deadline: RequestDeadline) -> bytes:
        with client.request("GET", url, headers, deadline) as response:
            response.check({})
            return response.read(1000)

    return with_retries(attempt, policy)


def good(body: bytes) -> Way:
    return lambda talk: talk.say(body)


def test_a_certificate_is_verified(tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    with speaking(good(b"yes"), b"", tls) as server:
        assert get(server.address, PATIENT) == b"yes"
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with pytest.raises(PermanentError, match="could not verify the server's certificate"):
            get(server.address, PATIENT)


def redirect_to(address: str) -> Way:
    return lambda talk: talk.say(b"", f"Location: {address}/x", status="302 Found")


def test_https_does_not_redirect_to_plain_http(tls: ssl.SSLContext) -> None:
    with speaking(good(b"plain"), b"") as plain:
        with (
            speaking(redirect_to(plain.address), b"", tls) as server,
            pytest.raises(PermanentError, match="which is not https"),
        ):
            get(server.address, PATIENT)
        assert plain.paths == []


def test_a_login_is_not_taken_along_to_another_origin(tls: ssl.SSLContext) -> None:
    with speaking(lambda talk: talk.say(talk.head), b"", tls) as other:
        with speaking(redirect_to(other.address), b"", tls) as server:
            found = get(server.address, PATIENT, Authorization="Bearer hush", Cookie="a=hush")
        assert b"hush" not in found
        assert b"User-Agent: wasi-nn-pipeline" in found
        assert b"Bearer hush" in get(other.address, PATIENT, Authorization="Bearer hush")


@pytest.mark.parametrize("way", ENDLESS)
def test_a_server_that_speaks_badly_is_given_up(way: str, tls: ssl.SSLContext) -> None:
    with speaking(ENDLESS[way], b"", tls) as server:
        with pytest.raises(PermanentError, match="timed out"):
            get(server.address, HASTY)
        check_nothing_goes_on()


def test_a_handshake_without_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(PermanentError, match=r"timed out after 0\.5 s"):
            get(f"https://127.0.0.1:{silent.getsockname()[1]}", HASTY)
        check_nothing_goes_on()


def check_nothing_goes_on() -> None:
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(60)
            assert not thread.is_alive()
