"""The client for buckets: a folder in a file system of fsspec, such as ``s3://bucket/folder``."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

from pipeline.bucket.redact import redact
from pipeline.errors import Code, PipelineError
from pipeline.scratch import scratch_folder

# They have no folders.
_OBJECT_STORES = frozenset({"s3", "gs", "gcs", "az", "abfs"})

T = TypeVar("T")


class BucketError(Exception):
    """A failed request; the text is a short reason without secrets. ``final`` if access is denied.

    ``missing`` if there is no such object.
    """

    def __init__(self, reason: str, *, final: bool = False, missing: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.missing = missing


class BucketClient:
    """A folder in a bucket; paths are relative to it. Credentials are those of the library.

    Each call ends after ``seconds``, and one that transfers a file later, at ``bytes_per_second``.
    Raises PipelineError with ``code`` for an unsupported URL or a package that is not installed.
    """

    def __init__(
        self, url: str, *, seconds: float, code: Code, bytes_per_second: int = 1 << 16
    ) -> None:
        self._url = url.rstrip("/")
        self._seconds = seconds
        self._rate = bytes_per_second
        try:
            from fsspec.core import url_to_fs

            filesystem, root = url_to_fs(self._url)
        except ImportError:
            raise PipelineError(
                code,
                "The package for buckets is not installed.",
                where=self.describe(),
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                code, "Unsupported bucket URL.", where=self.describe(), found=redact(str(error))
            ) from None
        self._filesystem: Any = filesystem
        self._root = str(root).rstrip("/")

    def describe(self) -> str:
        """Return the URL without credentials."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small object, or None; raises BucketError."""
        with scratch_folder() as name:
            target = name / "object"
            return target.read_bytes() if self.download(path, target, limit) else None

    def download(self, path: str, target: Path, limit: int) -> bool:
        """Write an object of at most ``limit`` bytes to a file, or return False if there is none.

        Raises BucketError.
        """
        from fsspec.callbacks import Callback

        class Bound(Callback):  # type: ignore[misc] # fsspec has no types
            """Checks the announced size and the bytes received."""

            def call(self, *_: object, **__: object) -> None:
                if max(self.size or 0, self.value) > limit:
                    raise BucketError(f"more than {limit} bytes")

        def download() -> bool:
            # The library may have cached an earlier listing.
            self._filesystem.invalidate_cache()
            self._filesystem.get_file(self._full(path), str(target), callback=Bound())
            if target.stat().st_size > limit:
                raise BucketError(f"more than {limit} bytes")
            return True

        return bool(self._or_none(download, limit))

    def size(self, path: str) -> int | None:
        """Return the size of an object in bytes, or None; raises BucketError."""
        return self._or_none(lambda: int(self._filesystem.info(self._full(path))["size"]))

    def write(self, path: str, data: bytes) -> None:
        """Write a small object; raises BucketError."""

        def write() -> None:
            self._make_folder(path)
            self._filesystem.pipe_file(self._full(path), data)

        self._call(write, len(data))

    def upload(self, path: str, source: Path) -> None:
        """Write an object from a file; raises BucketError."""

        def upload() -> None:
            self._make_folder(path)
            self._filesystem.put_file(str(source), self._full(path))

        self._call(upload, source.stat().st_size)

    def remove(self, path: str) -> None:
        """Remove an object; raises BucketError."""
        self._call(lambda: self._filesystem.rm_file(self._full(path)))

    def remove_folder(self, path: str) -> None:
        """Remove all objects below a path; raises BucketError."""
        self._call(lambda: self._filesystem.rm(self._full(path), recursive=True))

    def find(self) -> dict[str, int]:
        """Return the size of every object by sorted paths, 0 if unknown; raises BucketError."""

        def find() -> dict[str, int]:
            self._filesystem.invalidate_cache()
            found = self._filesystem.find(self._root, detail=True)
            return {
                str(path).removeprefix(f"{self._root}/"): int(about.get("size") or 0)
                for path, about in sorted(found.items())
            }

        return self._call(find)

    def glob(self, pattern: str) -> list[str]:
        """Return the sorted paths that match; raises BucketError."""

        def glob() -> list[str]:
            self._filesystem.invalidate_cache()
            found = self._filesystem.glob(self._full(pattern))
            return sorted(str(path).removeprefix(f"{self._root}/") for path in found)

        return self._call(glob)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _make_folder(self, path: str) -> None:
        protocols = self._filesystem.protocol
        if _OBJECT_STORES.isdisjoint([protocols] if isinstance(protocols, str) else protocols):
            self._filesystem.makedirs(self._full(path).rpartition("/")[0], exist_ok=True)

    def _or_none(self, call: Callable[[], T], size: int = 0) -> T | None:
        try:
            return self._call(call, size)
        except BucketError as error:
            if error.missing:
                return None
            raise

    def _call(self, call: Callable[[], T], size: int = 0) -> T:
        """Return the result of a call of the library; raises BucketError, also when it is late."""
        results: queue.SimpleQueue[T | BucketError] = queue.SimpleQueue()

        def run() -> None:
            try:
                results.put(call())
            except BucketError as error:
                results.put(error)
            except FileNotFoundError:
                results.put(BucketError("no such object", missing=True))
            except PermissionError:
                results.put(BucketError("access denied", final=True))
            except Exception as error:
                # File systems raise exceptions of their own types.
                results.put(BucketError(redact(f"{type(error).__name__}: {error}")))

        # The libraries' timeouts do not cover a server that sends byte by byte.
        seconds = self._seconds + size / self._rate
        Thread(target=run, daemon=True).start()
        try:
            result = results.get(timeout=seconds)
        except queue.Empty:
            raise BucketError(f"timed out after {seconds:g} s") from None
        if isinstance(result, BucketError):
            raise result
        return result
