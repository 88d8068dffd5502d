"""Every client against a server that speaks badly: one error in our form, or given up as a miss."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.cache.action_records import Record
from pipeline.cache.digest import Digest
from pipeline.cache.objects import Objects
from pipeline.cache.remote.bucket_store import BucketStore
from pipeline.cache.remote.http_store import HttpStore
from pipeline.cache.remote.remote_cache import RemoteCache
from pipeline.cache.remote.remote_store import RemoteError
from pipeline.errors import Code, PipelineError
from pipeline.execution.progress import no_progress
from pipeline.http.client import THREAD_NAME
from pipeline.http.retry import RetryPolicy
from pipeline.publish.places.hub_client import HubClient
from pipeline.publish.places.oci_artifact import artifact
from pipeline.publish.places.oci_client import OciClient
from pipeline.publish.places.open_place import open_origin
from pipeline.publish.places.origin import Origin
from pipeline.publish.release.release import Release, ReleasedFile
from pipeline.publish.release.release_index import encode, index_of
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile
from tests.http.bad_server import ENDING, ENDLESS, Way, recovering, speaking
from tests.publish.hub import TOKEN

# Nobody waits for an answer that does not come; what ends by itself has all the time it needs.
HASTY = RetryPolicy(
    connect=0.1, read=0.06, total=0.1, attempts=2, first_wait=0.01, longest_wait=0.02
)
PATIENT = replace(HASTY, connect=30.0, read=30.0, total=60.0)
GUARD_SECONDS = 90.0

DATA = b'{"an": "object"}' * 10
DIGEST = Digest.of_bytes(DATA)
KEY = "ab" * 32
FILE = ReleasedFile("tiny.bin", DIGEST.size, DIGEST.sha256)
RELEASE = Release("tiny", "1.0", (FILE,))
RECORD = {"key": KEY, "mac": "", "record": {"action": "a", "outputs": {}, "seconds": 1}}
REFS = {"branches": [], "converts": [], "tags": [{"name": "1.0", "ref": "r", "targetCommit": "c"}]}


@dataclass
class Client:
    """What talks to the server."""

    address: str
    policy: RetryPolicy
    folder: Path

    @property
    def host(self) -> str:
        return self.address.removeprefix("http://")

    @property
    def downloads(self) -> DownloadCache:
        return DownloadCache(self.folder / "downloads", False, no_progress, self.policy)

    @property
    def shared(self) -> RemoteCache:
        store = HttpStore(self.address, token="hush", seconds=self.policy.total)
        return RemoteCache(store, write=True)

    @property
    def oci(self) -> OciClient:
        return OciClient(f"{self.host}/nn", self.policy)

    @property
    def hub(self) -> HubClient:
        return HubClient("someone", self.policy)

    @property
    def file(self) -> Path:
        path = self.folder / "file"
        path.write_bytes(DATA)
        return path

    def origin(self, kind: str) -> Origin:
        text = {"site": self.address, "oci": f"oci://{self.host}/nn", "hub": "hf://someone"}[kind]
        return open_origin(text, self.downloads)

    def source(self) -> object:
        expected = ExpectedFile(DIGEST.size, {"sha256": DIGEST.sha256})
        return self.downloads.fetch(f"{self.address}/a.bin", expected, "a.bin")

    def fetch_object(self) -> bool:
        objects = Objects(self.folder / "objects")
        found = self.shared.fetch_object(DIGEST, objects)
        assert found == objects.path(DIGEST).exists()
        return found

    def upload(self) -> None:
        objects = Objects(self.folder / "objects")
        objects.put(self.file, DIGEST)
        self.shared.upload(KEY, Record(action="a", outputs={"o": {"": DIGEST}}, seconds=1), objects)


Operation = Callable[[Client], object]
# What is read, and what a good server answers.
READS: dict[str, tuple[Operation, bytes]] = {
    "source": (Client.source, DATA),
    "site": (
        lambda client: client.origin("site").versions("tiny"),
        encode(index_of([RELEASE], ())),
    ),
    "remote record": (lambda client: client.shared.record(KEY), json.dumps(RECORD).encode()),
    "remote object": (Client.fetch_object, DATA),
    "oci tags": (lambda client: client.origin("oci").versions("tiny"), b'{"tags": ["1.0"]}'),
    "oci manifest": (
        lambda client: client.origin("oci").release("tiny", "1.0"),
        artifact(RELEASE).manifest,
    ),
    "oci blob": (lambda client: client.origin("oci").obtain(RELEASE, FILE), DATA),
    "hub tags": (lambda client: client.origin("hub").versions("tiny"), json.dumps(REFS).encode()),
    "hub release": (lambda client: client.origin("hub").release("tiny", "1.0"), RELEASE.encode()),
    "hub file": (lambda client: client.origin("hub").obtain(RELEASE, FILE), DATA),
}
WRITES: dict[str, Operation] = {
    "remote upload": Client.upload,
    "oci blob": lambda client: client.oci.put_blob("tiny", DIGEST, client.file),
    "oci manifest": lambda client: client.oci.put_manifest("tiny", "1.0", DATA),
    "hub commit": lambda client: client.hub.commit("tiny", {"a": client.file}, "m", no_progress),
    "hub tag": lambda client: client.hub.tag("tiny", "1.0", "c" * 40),
}
# The body is whole, and its end is that of the connection.
HARMLESS = {"a length beyond measure"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the environment of the clients, and let a fault in one of their threads fail the test."""
    for name, value in {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "HF_HOME": str(tmp_path / "hf"),
        "HF_TOKEN": TOKEN,
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    # The pauses between attempts are not what is tried here.
    monkeypatch.setattr(time, "sleep", lambda _: None)
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    yield
    assert seen == []


def outcome(operation: Operation, client: Client) -> object:
    """Return what it returns or raises; fails if it does not end."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(operation(client))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(GUARD_SECONDS)
    assert not thread.is_alive(), "it does not end"
    return results[0]


def ask(
    operation: Operation, way: Way, good: bytes, policy: RetryPolicy, folder: Path
) -> tuple[object, list[str]]:
    """Return the outcome and the paths that the server was asked for."""
    with speaking(way, good) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.address)
        found = outcome(operation, Client(server.address, policy, folder))
        return found, server.paths


def check(found: object, printed: str) -> None:
    if isinstance(found, Exception):
        assert isinstance(found, PipelineError)
        assert found.code in (Code.SOURCE_UNREACHABLE, Code.SOURCE_MISMATCH, Code.PUBLISH)
        assert "hush" not in found.render()
        assert TOKEN not in found.render()
        assert printed == ""
    lines = printed.splitlines()
    assert len(lines) <= 2
    assert all(line.startswith("warning: the remote cache ") for line in lines)


@pytest.mark.parametrize("way", [*ENDLESS, *ENDING])
@pytest.mark.parametrize("read", READS)
def test_what_is_read(
    read: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    operation, good = READS[read]
    policy, answer = (HASTY, ENDLESS[way]) if way in ENDLESS else (PATIENT, ENDING[way])
    found, paths = ask(operation, answer, good, policy, tmp_path)
    printed = capsys.readouterr().err
    check(found, printed)
    assert len(paths) < 40
    if way not in HARMLESS:
        assert isinstance(found, PipelineError) or (read.startswith("remote") and not found)
        assert isinstance(found, PipelineError) or printed.count("\n") == 1
    assert not list(tmp_path.glob("objects/**/*.part"))


@pytest.mark.parametrize("way", [*ENDLESS, *ENDING])
@pytest.mark.parametrize("write", WRITES)
def test_what_is_written(
    write: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, answer = (HASTY, ENDLESS[way]) if way in ENDLESS else (PATIENT, ENDING[way])
    found, paths = ask(WRITES[write], answer, DATA, policy, tmp_path)
    check(found, capsys.readouterr().err)
    assert len(paths) < 40
    # The status alone may say that there is such a blob already, or that it was taken.
    if way in ENDLESS and "body" not in way and not write.startswith("remote"):
        assert isinstance(found, PipelineError)


@pytest.mark.parametrize("way", ENDLESS)
def test_nothing_goes_on_after_a_request_was_given_up(way: str, tmp_path: Path) -> None:
    with speaking(ENDLESS[way], DATA) as server:
        found = outcome(Client.source, Client(server.address, HASTY, tmp_path))
        assert isinstance(found, PipelineError)
        for thread in threading.enumerate():
            if thread.name == THREAD_NAME:
                thread.join(GUARD_SECONDS)
                assert not thread.is_alive()


@pytest.mark.parametrize("read", READS)
def test_a_server_that_recovers_is_read(read: str, tmp_path: Path) -> None:
    operation, good = READS[read]
    found, paths = ask(operation, recovering, good, PATIENT, tmp_path)
    assert found, found
    assert not isinstance(found, Exception)
    assert len(paths) >= 2


def test_a_bucket_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with speaking(ENDLESS["headers that drip"], b"") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.address)
        store = BucketStore("s3://fixtures/cache", seconds=0.4)
        found = outcome(lambda _: store.get_record(KEY), Client(server.address, HASTY, tmp_path))
    assert isinstance(found, RemoteError)
    assert str(found).startswith("timed out after")
