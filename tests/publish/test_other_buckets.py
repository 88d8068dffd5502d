"""Google's and Azure's buckets, as their emulators on loopback speak."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import Code, PipelineError
from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.cache.servers import free_port, process
from tests.programs import require_program

# The account that Azurite's documentation gives; it opens nothing else.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a bucket in an emulator of Google's storage."""
    from gcsfs import GCSFileSystem

    GCSFileSystem.clear_instance_cache()
    port = free_port()
    program = Path(sys.executable).with_name("gcp-storage-emulator")
    options = ("--host", "127.0.0.1", "--port", str(port), "--in-memory")
    with process([str(program), "start", *options, "--default-bucket", "fixtures"], port):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "fixtures")
        yield "gs://fixtures/nn"


@pytest.fixture
def azure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Yield the address of a container in Azurite."""
    from adlfs import AzureBlobFileSystem

    npm = require_program("npm", "node")
    folder = tmp_path_factory.mktemp("azurite")
    quiet = ("--no-audit", "--no-fund", "--silent")
    subprocess.run([npm, "install", *quiet, "--prefix", str(folder), "azurite"], check=True)
    port = free_port()
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    options = ("--silent", "--skipApiVersionCheck", "--location", str(folder / "data"))
    with process([str(program), *options, "--blobPort", str(port)], port):
        monkeypatch.setenv(
            "AZURE_STORAGE_CONNECTION_STRING",
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};",
        )
        AzureBlobFileSystem.clear_instance_cache()
        AzureBlobFileSystem().mkdir("fixtures")
        yield "az://fixtures/nn"


def test_google_s_bucket_takes_and_gives_releases(google: str, fixture_folder: Path) -> None:
    check(google, fixture_folder)


@pytest.mark.network
@pytest.mark.slow
def test_azure_s_container_takes_and_gives_releases(azure: str, fixture_folder: Path) -> None:
    check(azure, fixture_folder)


def check(address: str, folder: Path) -> None:
    """Publish two versions, one of them again and one with another content; fetch both."""

    def publish(version: str) -> int | None:
        release = release_of(folder, version)
        to = open_destination(address)
        return publish_all(to, [(release, folder)], dry_run=False, progress=lambda _: None)[0].moved

    assert publish("1.0")
    root = release_of(folder, "1.0").digest
    assert publish("1.0") is None
    (folder / "tiny.xml").write_text("<other/>")
    with pytest.raises(
        PipelineError, match="is already published with different content"
    ) as caught:
        publish("1.0")
    assert caught.value.code is Code.USAGE
    assert publish("1.1")
    first = fetch("tiny", version="1.0", sources=[address])
    assert release_of(first, "1.0").digest == root
    newest = fetch("tiny", sources=[address], evidence=True)
    assert (newest / "tiny.xml").read_text() == "<other/>"
    assert (newest / "evidence/red/sandbox/probabilities.raw").is_file()
    with pytest.raises(PipelineError, match="No such version"):
        fetch("tiny", version="9", sources=[address])
