"""Remote cache in a bucket or any other fsspec file system, such as ``s3://``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.bucket.bucket_client import BucketClient, BucketError
from pipeline.cache.digest import Digest
from pipeline.cache.remote.remote_store import BYTES_PER_SECOND, MOST_RECORD_BYTES, RemoteError
from pipeline.errors import Code


class BucketStore:
    """A remote cache in a folder of an fsspec file system, with the library's own credentials."""

    def __init__(self, url: str, *, seconds: float) -> None:
        self._bucket = BucketClient(
            url, seconds=seconds, code=Code.CONFIG, bytes_per_second=BYTES_PER_SECOND
        )

    def describe(self) -> str:
        """Return the URL."""
        return self._bucket.describe()

    def get_record(self, key: str) -> bytes | None:
        """Return the record's bytes, or None."""
        with _faults():
            return self._bucket.read(f"ac/{key}", MOST_RECORD_BYTES)

    def put_record(self, key: str, data: bytes) -> None:
        """Upload a record."""
        with _faults():
            self._bucket.write(f"ac/{key}", data)

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Download the object to ``target``, or return False."""
        with _faults():
            return self._bucket.download(f"cas/{digest.sha256}", target, digest.size)

    def put_object(self, digest: Digest, source: Path) -> None:
        """Upload an object, unless it exists already."""
        path = f"cas/{digest.sha256}"
        with _faults():
            if self._bucket.size(path) is None:
                self._bucket.upload(path, source)


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except BucketError as error:
        raise RemoteError(str(error), final=error.final) from None
