"""Places on loopback that releases are published to, each by the real component."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cache.servers import free_port, process, s3
from tests.programs import require_program
from tests.publish.hub import TOKEN, stand_in

_REGISTRY = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}
"""


@dataclass
class Place:
    """Where to publish to, where to fetch from, and what the environment must hold."""

    to: str
    sources: str
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def site(folder: Path) -> Iterator[Place]:
    """A folder that a server process serves."""
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(folder)]
    with process([*command, str(port)], port):
        yield Place(str(folder), f"http://127.0.0.1:{port}")


@contextmanager
def folder(path: Path) -> Iterator[Place]:
    yield Place(str(path), str(path))


@contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[Place]:
    """Debian's docker-registry; of a folder that was one before, with what it held."""
    program = require_program("docker-registry")
    folder.mkdir(exist_ok=True)
    port = free_port()
    (folder / "config.yml").write_text(_REGISTRY.format(folder=folder, port=port, auth=auth))
    with process([program, "serve", str(folder / "config.yml")], port):
        address = f"oci://127.0.0.1:{port}/fixtures/nn"
        yield Place(address, address)


@contextmanager
def registry_with_login(folder: Path) -> Iterator[Place]:
    """The same, where only alice with the password secret may do anything."""
    users = folder.with_name("users")
    made = subprocess.run(
        [require_program("htpasswd"), "-Bbn", "alice", "secret"],
        capture_output=True,
        text=True,
        check=True,
    )
    users.write_text(made.stdout)
    auth = f"auth: {{htpasswd: {{realm: fixtures, path: {users}}}}}"
    with registry(folder, auth) as place:
        yield place


@contextmanager
def bucket(folder: Path) -> Iterator[Place]:
    """A server process that speaks S3."""
    import boto3

    with s3() as endpoint:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.create_bucket(Bucket="fixtures")
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield Place("s3://fixtures/nn", "s3://fixtures/nn", environment)


@contextmanager
def hub(folder: Path) -> Iterator[Place]:
    """A stand-in of the Hugging Face Hub; its client speaks plain Git LFS, as with older hubs."""
    with stand_in() as (endpoint, _):
        environment = {
            "HF_ENDPOINT": endpoint,
            "HF_TOKEN": TOKEN,
            "HF_HOME": str(folder),
        }
        yield Place("hf://someone", "hf://someone", environment)


PLACES: Mapping[str, Callable[[Path], object]] = {
    "folder": folder,
    "site": site,
    "registry": registry,
    "bucket": bucket,
    "hub": hub,
}
