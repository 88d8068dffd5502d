"""Releases in a bucket, or any other place that fsspec knows: ``s3://``, ``gs://``, ``az://``."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.publish.destination import Say, failed, immutable
from pipeline.publish.destinations.folder import changed
from pipeline.publish.index import INDEX, MOST_BYTES, RELEASE, decode, encode, index_of
from pipeline.publish.release import MOST_BYTES as MOST_RELEASE_BYTES
from pipeline.publish.release import SUMS, Release
from pipeline.publish.release import decode as decode_release
from pipeline.publish.secrets import without_secrets
from pipeline.store.digest import Digest

_CLAIM = ".publishing"
# A publisher that says nothing for so long has died.
_STALE_SECONDS = 3600.0
_ROUNDS = 10


class Bucket:
    """The same layout as a folder's; release.json, written last, makes a version visible.

    Credentials are those that the file system's own library finds.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs

            filesystem, self._root = url_to_fs(self._url)
        except ImportError:
            raise PipelineError(
                Code.USAGE,
                "Buckets need a package that is not installed.",
                where=self.describe(),
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                Code.USAGE,
                "There is no such kind of place.",
                where=self.describe(),
                found=without_secrets(str(error)),
            ) from None
        self._filesystem: Any = filesystem

    def describe(self) -> str:
        """Return the address without a login."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def root_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a version that is there; raises PipelineError."""
        release = self.release(name, version)
        return None if release is None else release.root

    def release(self, name: str, version: str) -> Release | None:
        """Return a version that is there, or None; raises PipelineError."""
        path = f"{name}/{version}/{RELEASE}"
        data = self.read(path, MOST_RELEASE_BYTES)
        return None if data is None else decode_release(data, f"{self.describe()}/{path}")

    def read(self, path: str, limit: int) -> bytes | None:
        """Return a short object's bytes, or None; raises PipelineError (PUBLISH)."""
        with tempfile.TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as name:
            target = Path(name) / "object"
            with self._faults():
                try:
                    # An answer of an earlier look may be kept by the library.
                    self._filesystem.invalidate_cache()
                    self._get(path, target, limit)
                except FileNotFoundError:
                    return None
            return target.read_bytes()

    def download(self, path: str, target: Path, limit: int) -> None:
        """Write an object to a file; raises PipelineError (PUBLISH)."""
        with self._faults():
            if self._filesystem.info(f"{self._root}/{path}")["size"] != limit:
                raise failed(f"{self.describe()}/{path}", f"not the declared {limit} bytes")
            self._get(path, target, limit)

    def _get(self, path: str, target: Path, limit: int) -> None:
        """Write an object to a file, as long as it is no longer than ``limit`` bytes."""
        from fsspec.callbacks import Callback

        where = f"{self.describe()}/{path}"

        class Bound(Callback):  # type: ignore[misc] # fsspec has no types
            """Hears of each piece, and of the size that is told before."""

            def call(self, *_: object, **__: object) -> None:
                if max(self.size or 0, self.value) > limit:
                    raise failed(where, f"more than {limit} bytes")

        self._filesystem.get_file(f"{self._root}/{path}", str(target), callback=Bound())

    def publish(self, release: Release, folder: Path, say: Say) -> int:
        """Upload the files, then release.json, then write the index until it is the latest."""
        base = f"{release.name}/{release.version}"
        mine = self._claim(base, release)
        moved = 0
        with self._faults():
            for file in release.carried:
                source = folder / file.path
                path = f"{self._root}/{base}/{file.path}"
                # Of the release's files the claim says which they are; of the others it does not.
                if mine and file in release.files and self._size(path) == file.size:
                    continue
                if Digest.of_file(source) != Digest(file.sha256, file.size):
                    raise changed(source)
                say(f"uploading {file.path}")
                self._filesystem.put_file(str(source), path)
                moved += file.size
            self._filesystem.pipe_file(f"{self._root}/{base}/{SUMS}", release.sums())
            # Another publisher may have taken the claim of one that it thought dead.
            if self._claimed(base) != release.root:
                raise failed(self.describe(), "another publisher took over")
            self._filesystem.pipe_file(f"{self._root}/{base}/{RELEASE}", release.encode())
            self._filesystem.rm_file(f"{self._root}/{base}/{_CLAIM}")
        self._write_index()
        return moved

    def _claim(self, base: str, release: Release) -> bool:
        """Say that this release is on its way; true where an earlier run said so of the same."""
        published = self.root_of(release.name, release.version)
        if published not in (None, release.root):
            raise immutable(release, str(published), self.describe())
        data = self.read(f"{base}/{_CLAIM}", MOST_BYTES)
        root, since = _parsed(data)
        if root not in (None, release.root) and time.time() - since < _STALE_SECONDS:
            raise failed(
                f"{self.describe()}/{base}",
                "another publisher is publishing another content as this version",
                "Wait for it, or publish another version. One that died is forgotten in an hour.",
            )
        if root not in (None, release.root):
            # What one that died has left may be as long as ours, and something else.
            with self._faults():
                self._filesystem.rm(f"{self._root}/{base}", recursive=True)
        claim = json.dumps({"root": release.root, "since": time.time()}).encode()
        with self._faults():
            self._filesystem.pipe_file(f"{self._root}/{base}/{_CLAIM}", claim)
        if self._claimed(base) != release.root:
            raise failed(f"{self.describe()}/{base}", "another publisher was quicker")
        return root == release.root

    def _claimed(self, base: str) -> str | None:
        return _parsed(self.read(f"{base}/{_CLAIM}", MOST_BYTES))[0]

    def _size(self, path: str) -> int | None:
        try:
            return int(self._filesystem.info(path)["size"])
        except FileNotFoundError:
            return None

    def _write_index(self) -> None:
        """Write the index of what is listed, until nothing was published meanwhile.

        Whoever publishes lists after it wrote, so the last to write has seen all.
        """
        written = b""
        for _ in range(_ROUNDS):
            data = self.read(INDEX, MOST_BYTES)
            mirrors = decode(data, f"{self.describe()}/{INDEX}").mirrors if data else ()
            now = encode(index_of(self._releases(), mirrors))
            if now == data:
                return
            written = now
            with self._faults():
                self._filesystem.pipe_file(f"{self._root}/{INDEX}", written)
        raise failed(f"{self.describe()}/{INDEX}", "too many publish at once")

    def _releases(self) -> Iterator[Release]:
        with self._faults():
            self._filesystem.invalidate_cache()
            paths = sorted(self._filesystem.glob(f"{self._root}/*/*/{RELEASE}"))
        for path in paths:
            name, version = str(path).split("/")[-3:-1]
            release = self.release(name, version)
            if release is not None:
                yield release

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except PipelineError:
            raise
        except PermissionError:
            hint = "Are the credentials right, and may they write?"
            raise failed(self.describe(), "it refuses us", hint) from None
        except Exception as error:
            # Each file system has errors of its own.
            told = without_secrets(f"{type(error).__name__}: {error}")
            raise failed(self.describe(), told) from None


def _parsed(data: bytes | None) -> tuple[str | None, float]:
    try:
        claim = json.loads(data or b"{}")
        return (str(claim["root"]), float(claim["since"])) if claim else (None, 0.0)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, 0.0
