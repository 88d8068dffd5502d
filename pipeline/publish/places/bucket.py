"""Releases in a bucket, or another file system of fsspec: ``s3://``, ``gs://``, ``az://``."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.redact import redact
from pipeline.publish.release.release import MOST_BYTES as MOST_RELEASE_BYTES
from pipeline.publish.release.release import SUMS, Release
from pipeline.publish.release.release import decode as decode_release
from pipeline.publish.release.release_index import (
    INDEX,
    MOST_BYTES,
    RELEASE,
    decode,
    encode,
    index_of,
)

_CLAIM = ".publishing"
# A publisher that has been silent for so long is considered dead.
_STALE_SECONDS = 3600.0
_ROUNDS = 10


class Bucket:
    """A bucket with a folder's layout; release.json, written last, makes a version visible.

    Credentials are those that the file system's client library finds.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs

            filesystem, self._root = url_to_fs(self._url)
        except ImportError:
            raise PipelineError(
                Code.USAGE,
                "The package for buckets is not installed.",
                where=self.describe(),
                hint="pip install 'wasi-nn-pipeline[buckets]'",
            ) from None
        except ValueError as error:
            raise PipelineError(
                Code.USAGE,
                "Unsupported URL scheme.",
                where=self.describe(),
                found=redact(str(error)),
            ) from None
        self._filesystem: Any = filesystem

    def describe(self) -> str:
        """Return the URL without credentials."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        release = self.release(name, version)
        return None if release is None else release.digest

    def release(self, name: str, version: str) -> Release | None:
        """Return a published version, or None; raises PipelineError."""
        path = f"{name}/{version}/{RELEASE}"
        data = self.read(path, MOST_RELEASE_BYTES)
        return None if data is None else decode_release(data, f"{self.describe()}/{path}")

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small object, or None; raises PipelineError (PUBLISH)."""
        with tempfile.TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as name:
            target = Path(name) / "object"
            with self._faults():
                try:
                    # The library may have cached an earlier listing.
                    self._filesystem.invalidate_cache()
                    self._get(path, target, limit)
                except FileNotFoundError:
                    return None
            return target.read_bytes()

    def download(self, path: str, target: Path, limit: int) -> None:
        """Download an object to a file; raises PipelineError (PUBLISH)."""
        with self._faults():
            if self._filesystem.info(f"{self._root}/{path}")["size"] != limit:
                raise publish_error(
                    f"{self.describe()}/{path}", f"size is not the declared {limit} bytes"
                )
            self._get(path, target, limit)

    def _get(self, path: str, target: Path, limit: int) -> None:
        """Download an object of at most ``limit`` bytes to a file."""
        from fsspec.callbacks import Callback

        where = f"{self.describe()}/{path}"

        class Bound(Callback):  # type: ignore[misc] # fsspec has no types
            """Checks the announced size and the bytes received."""

            def call(self, *_: object, **__: object) -> None:
                if max(self.size or 0, self.value) > limit:
                    raise publish_error(where, f"more than {limit} bytes")

        self._filesystem.get_file(f"{self._root}/{path}", str(target), callback=Bound())

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Upload the files, then release.json, then the index until it is up to date."""
        base = f"{release.name}/{release.version}"
        mine = self._claim(base, release)
        moved = 0
        with self._faults():
            for file in release.all_files:
                source = folder / file.path
                path = f"{self._root}/{base}/{file.path}"
                # The claim identifies the contents of the release's own files only.
                if mine and file in release.files and self._size(path) == file.size:
                    continue
                if Digest.of_file(source) != Digest(file.sha256, file.size):
                    raise changed(source)
                progress(f"uploading {file.path}")
                self._filesystem.put_file(str(source), path)
                moved += file.size
            self._filesystem.pipe_file(f"{self._root}/{base}/{SUMS}", release.sums())
            # Another publisher may have considered this one dead and taken over its claim.
            if self._claimed(base) != release.digest:
                raise publish_error(self.describe(), "another publisher took over")
            self._filesystem.pipe_file(f"{self._root}/{base}/{RELEASE}", release.encode())
            self._filesystem.rm_file(f"{self._root}/{base}/{_CLAIM}")
        self._write_index()
        return moved

    def _claim(self, base: str, release: Release) -> bool:
        """Claim the version for this release; return whether an earlier run of it already had."""
        published = self.digest_of(release.name, release.version)
        if published not in (None, release.digest):
            raise version_conflict(release, str(published), self.describe())
        data = self.read(f"{base}/{_CLAIM}", MOST_BYTES)
        root, since = _parsed(data)
        if root not in (None, release.digest) and time.time() - since < _STALE_SECONDS:
            raise publish_error(
                f"{self.describe()}/{base}",
                "another publisher is publishing different content as this version",
                "Wait for it, or publish another version. Claims expire after an hour.",
            )
        if root not in (None, release.digest):
            # Files of a dead publisher may have the same size but different content.
            with self._faults():
                self._filesystem.rm(f"{self._root}/{base}", recursive=True)
        claim = json.dumps({"root": release.digest, "since": time.time()}).encode()
        with self._faults():
            self._filesystem.pipe_file(f"{self._root}/{base}/{_CLAIM}", claim)
        if self._claimed(base) != release.digest:
            raise publish_error(f"{self.describe()}/{base}", "another publisher claimed it first")
        return root == release.digest

    def _claimed(self, base: str) -> str | None:
        return _parsed(self.read(f"{base}/{_CLAIM}", MOST_BYTES))[0]

    def _size(self, path: str) -> int | None:
        try:
            return int(self._filesystem.info(path)["size"])
        except FileNotFoundError:
            return None

    def _write_index(self) -> None:
        """Write the index of all releases, until no other was published meanwhile.

        Every publisher lists after its own release is visible, so the last one sees all.
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
        raise publish_error(f"{self.describe()}/{INDEX}", "too many concurrent publishers")

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
            hint = "Check the credentials and their write permission."
            raise publish_error(self.describe(), "permission denied", hint) from None
        except Exception as error:
            # Each file system has its own exceptions.
            reason = redact(f"{type(error).__name__}: {error}")
            raise publish_error(self.describe(), reason) from None


def _parsed(data: bytes | None) -> tuple[str | None, float]:
    try:
        claim = json.loads(data or b"{}")
        return (str(claim["root"]), float(claim["since"])) if claim else (None, 0.0)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, 0.0
