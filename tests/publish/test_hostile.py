"""Places that refuse, lie or die midway: one clear error, and nothing half there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.cache.servers import lying
from tests.publish.places import Place, registry, site
from tests.tiny import ROOT

SECRET = "AKIA-not-for-eyes"


def publish(to: str, folder: Path, version: str = "1.0") -> int | None:
    release = release_of(folder, version)
    return publish_all(
        open_destination(to), [(release, folder)], dry_run=False, progress=lambda _: None
    )[0].moved


def processes(name: str) -> set[int]:
    """Return the ids of this process's children that run a program of this name."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [line.split(None, 1) for line in listed.stdout.splitlines()]
    return {int(pid) for pid, command in rows if command.startswith(name)}


def test_a_registry_that_dies_midway_has_nothing_and_the_next_run_goes_on(
    tmp_path: Path, fixture_folder: Path
) -> None:
    (fixture_folder / "large.bin").write_bytes(os.urandom(8 << 20))
    release = release_of(fixture_folder, "1.0")
    folder = tmp_path / "registry"

    with ExitStack() as running:
        place = running.enter_context(registry(folder))
        (pid,) = processes("docker-reg")
        moved: list[str] = []

        def die(text: str) -> None:
            moved.append(text)
            if len(moved) == 5:
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(PipelineError) as caught:
            open_destination(place.to).publish(release, fixture_folder, die)
        assert caught.value.code is Code.PUBLISH
        assert "connection" in caught.value.found

    with registry(folder) as place:
        assert open_destination(place.to).digest_of("tiny", "1.0") is None
        again = publish(place.to, fixture_folder)
        assert again is not None
        assert again <= sum({file.sha256: file.size for file in release.all_files}.values())
        assert fetch("tiny", sources=[place.sources]).is_dir()


def begun(downloads: Path) -> bool:
    """Return whether bytes of a layer have come; a finished one is renamed while one looks."""
    with suppress(FileNotFoundError):
        return any(path.stat().st_size for path in downloads.glob("*.part"))
    return False


def test_a_registry_that_dies_while_one_fetches_leaves_no_folder_and_is_gone_on_with(
    tmp_path: Path, fixture_folder: Path, cache: Path
) -> None:
    (fixture_folder / "large.bin").write_bytes(os.urandom(64 << 20))
    folder = tmp_path / "registry"
    with ExitStack() as running:
        place = running.enter_context(registry(folder))
        publish(place.to, fixture_folder)
        (pid,) = processes("docker-reg")

        def die() -> None:
            while not begun(cache / "downloads"):
                time.sleep(0.001)
            os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=die)
        killer.start()
        with pytest.raises(PipelineError):
            fetch("tiny", version="1.0", sources=[place.sources], out=tmp_path / "out")
        killer.join()
        assert not (tmp_path / "out" / "tiny").exists()
    with registry(folder) as place:
        fetched = fetch("tiny", version="1.0", sources=[place.sources], out=tmp_path / "out")
        assert release_of(fetched, "1.0").digest == release_of(fixture_folder, "1.0").digest


def denied(code: str, status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer as S3 does when it refuses."""
    body = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>No: {SECRET}</Message>"
        f"<AWSAccessKeyId>{SECRET}</AWSAccessKeyId></Error>"
    ).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/xml")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("ExpiredToken", 400),
        ("InvalidAccessKeyId", 403),
        ("SignatureDoesNotMatch", 403),
    ],
)
def test_a_bucket_that_refuses_is_told_without_the_keys(
    fixture_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    code: str,
    status: int,
) -> None:
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    with lying(denied(code, status)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", SECRET)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for work in (
            lambda: publish("s3://fixtures/nn", fixture_folder),
            lambda: fetch("tiny", sources=["s3://fixtures/nn"], out=tmp_path / "out"),
        ):
            with pytest.raises(PipelineError) as caught:
                work()
            told = caught.value.render()
            assert caught.value.code in (Code.PUBLISH, Code.SOURCE_UNREACHABLE)
            assert SECRET not in told
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err
    assert not (tmp_path / "out").exists()


def endless_object(declared: int | None) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer as S3 does for an object, and go on for ever."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("ETag", '"x"')
        request.send_header("Last-Modified", "Mon, 30 Nov 2026 00:00:00 GMT")
        if declared is not None:
            request.send_header("Content-Length", str(declared))
        request.end_headers()
        if request.command == "HEAD":
            return
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            pass

    return answer


@pytest.mark.parametrize("declared", [None, 1 << 50])
def test_a_bucket_that_never_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: int | None
) -> None:
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    monkeypatch.setattr("pipeline.publish.places.indexed.MOST_BYTES", 1 << 20)
    with lying(endless_object(declared)) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with pytest.raises(PipelineError) as caught:
            fetch("tiny", sources=["s3://fixtures/nn"], out=tmp_path / "out")
    assert caught.value.found == f"more than {1 << 20} bytes"
    assert not (tmp_path / "out").exists()


def expired(request: BaseHTTPRequestHandler) -> None:
    """Answer as a registry whose tokens are given by a service that gives none."""
    host = request.headers["Host"]
    request.send_response(401)
    challenge = f'Bearer realm="http://{host}/token",service="registry",scope="x"'
    request.send_header("Www-Authenticate", challenge)
    request.send_header("Content-Length", "0")
    request.end_headers()


def test_a_token_that_has_expired_is_told_without_it(
    fixture_folder: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import base64

    with lying(expired) as url:
        host = url.removeprefix("http://")
        login = base64.b64encode(f"alice:{SECRET}".encode()).decode()
        config = tmp_path / "docker" / "config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"auths": {host: {"auth": login}}}))
        for work in (
            lambda: publish(f"oci://{host}/nn", fixture_folder),
            lambda: fetch("tiny", sources=[f"oci://{host}/nn"], out=tmp_path / "out"),
        ):
            with pytest.raises(PipelineError) as caught:
                work()
            assert "docker login" in caught.value.hint
            assert SECRET not in caught.value.render()
            assert login not in caught.value.render()
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err
    assert login not in printed.out + printed.err


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from pipeline.errors import PipelineError
from tests.publish.test_hostile import publish

place, folder, elsewhere = sys.argv[1:]
# So that nothing is left to be imported.
publish(elsewhere, Path(folder))
if os.geteuid() == 0:
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
try:
    publish(place, Path(folder))
except PipelineError as error:
    print(error.render())
"""


@pytest.mark.skipif(os.name == "nt", reason="the rights are those of POSIX")
def test_a_folder_that_may_not_be_written(tmp_path: Path, fixture_folder: Path) -> None:
    # Not below pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        fixture = shutil.copytree(fixture_folder, root / "tiny")
        place = root / "place"
        place.mkdir()
        place.chmod(0o555)
        ran = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, place, fixture, tmp_path / "elsewhere"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        there = list(place.iterdir())
    assert "error[publish]: Publishing failed" in ran.stdout, ran.stderr
    assert "Permission denied" in ran.stdout
    assert not there


def test_a_site_whose_files_are_links_gives_nothing_else(
    tmp_path: Path, fixture_folder: Path
) -> None:
    with site(tmp_path / "site") as place:
        publish(place.to, fixture_folder)
        target = Path(place.to) / "tiny/1.0/tiny.xml"
        target.unlink()
        target.symlink_to("/etc/passwd")
        for source in (place.sources, place.to):
            with pytest.raises(PipelineError) as caught:
                fetch("tiny", version="1.0", sources=[source], out=tmp_path / "out")
            assert caught.value.code in (Code.SOURCE_MISMATCH, Code.SOURCE_UNREACHABLE)
            assert not (tmp_path / "out" / "tiny").exists()


def test_a_file_that_changes_meanwhile_is_not_published(
    tmp_path: Path, fixture_folder: Path
) -> None:
    release = release_of(fixture_folder, "1.0")
    (fixture_folder / "tiny.xml").write_text("changed meanwhile")
    for to in (str(tmp_path / "place"), f"oci-layout:{tmp_path / 'layout'}"):
        with pytest.raises(PipelineError, match="nothing of the release is visible") as caught:
            publish_all(
                open_destination(to),
                [(release, fixture_folder)],
                dry_run=False,
                progress=lambda _: None,
            )
        assert "the file changed during publishing" in caught.value.found
        assert open_destination(to).digest_of("tiny", "1.0") is None


def test_what_another_publisher_left_in_a_bucket_is_not_taken_for_ours(
    tmp_path: Path, fixture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the same length from a publisher that died, whose claim is an hour old."""
    from tests.publish.places import bucket

    other = Path(shutil.copytree(fixture_folder, tmp_path / "other" / "tiny"))
    (other / "tiny.xml").write_bytes(b"<out/>" * 50)

    def stop(text: str) -> None:
        if text.endswith("tiny.bin"):
            raise KeyboardInterrupt

    with bucket(tmp_path / "bucket") as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)

        interrupted_at_the_end(place, other)
        # The clock goes on by more than an hour.
        now = time.time()
        monkeypatch.setattr("time.time", lambda: now + 4000)
        release = release_of(fixture_folder, "1.0")
        with pytest.raises(KeyboardInterrupt):
            open_destination(place.to).publish(release, fixture_folder, stop)
        assert publish(place.to, fixture_folder)
        fetched = fetch("tiny", version="1.0", sources=[place.sources])
        assert (fetched / "tiny.xml").read_bytes() == b"<net/>" * 50


def interrupted_at_the_end(place: Place, folder: Path) -> None:
    """Upload every file of a release, and stop before it becomes visible."""

    def stop(text: str) -> None:
        if "probabilities.raw" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_destination(place.to).publish(release_of(folder, "1.0"), folder, stop)
