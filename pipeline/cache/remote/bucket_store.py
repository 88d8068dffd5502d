"""Remote cache in a bucket or any other fsspec file system, such as ``s3://``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.cache.remote.remote_store import MOST_RECORD_BYTES, RemoteError
from pipeline.errors import Code, PipelineError


class BucketStore:
    """A remote cache in a folder of an fsspec file system, with the library's own credentials."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs

            filesystem, self._root = url_to_fs(self._url)
        except ImportError:
            raise PipelineError(
                Code.CONFIG,
                "The remote cache requires a package that is not installed.",
                where=self._url,
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                Code.CONFIG, "Invalid URL of the remote cache.", where=url, found=str(error)
            ) from None
        self._filesystem: Any = filesystem

    def describe(self) -> str:
        """Return the URL."""
        return self._url

    def get_record(self, key: str) -> bytes | None:
        """Return the record's bytes, or None."""
        with _faults():
            path = f"{self._root}/ac/{key}"
            try:
                with self._filesystem.open(path, "rb") as stream:
                    data = bytes(stream.read(MOST_RECORD_BYTES + 1))
            except FileNotFoundError:
                return None
            if len(data) > MOST_RECORD_BYTES:
                raise RemoteError("the record is too large")
            return data

    def put_record(self, key: str, data: bytes) -> None:
        """Upload a record."""
        with _faults():
            self._filesystem.makedirs(f"{self._root}/ac", exist_ok=True)
            self._filesystem.pipe_file(f"{self._root}/ac/{key}", data)

    def get_object(self, digest: Digest, target: Path) -> bool:
        """Download the object to ``target``, or return False."""
        with _faults():
            path = self._object(digest)
            try:
                found = self._filesystem.info(path)["size"]
            except FileNotFoundError:
                return False
            if found != digest.size:
                raise RemoteError("an object has the wrong size")
            self._filesystem.get_file(path, str(target))
            return True

    def put_object(self, digest: Digest, source: Path) -> None:
        """Upload an object, unless it exists already."""
        with _faults():
            path = self._object(digest)
            if not self._filesystem.exists(path):
                self._filesystem.makedirs(f"{self._root}/cas", exist_ok=True)
                self._filesystem.put_file(str(source), path)

    def _object(self, digest: Digest) -> str:
        return f"{self._root}/cas/{digest.sha256}"


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (RemoteError, PipelineError):
        raise
    except PermissionError:
        raise RemoteError("access denied", final=True) from None
    except Exception as error:
        # File systems raise exceptions of their own types; none may fail a build.
        raise RemoteError(f"{type(error).__name__}: {str(error)[:200]}") from None
