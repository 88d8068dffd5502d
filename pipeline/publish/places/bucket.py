"""Releases in a bucket, or another file system of fsspec: ``s3://``, ``gs://``, ``az://``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.bucket.bucket_client import BucketClient, BucketError
from pipeline.cache.atomic import atomic_write
from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.indexed import expected_file
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
    is_listed,
)
from pipeline.source.download_cache import DownloadCache

_CLAIM = ".publishing"
# A publisher that has been silent for so long is considered dead.
_STALE_SECONDS = 3600.0
_ROUNDS = 10
_SECONDS = 120.0


class Bucket:
    """A bucket with a folder's layout; release.json, written last, makes a version visible.

    Credentials are those that the file system's client library finds.
    """

    def __init__(self, url: str) -> None:
        self._bucket = BucketClient(url, seconds=_SECONDS, code=Code.USAGE)

    def describe(self) -> str:
        """Return the URL without credentials."""
        return self._bucket.describe()

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a version in the index, or None; raises PipelineError."""
        release = self.release(name, version)
        if release is None:
            return None
        data = self.read(INDEX, MOST_BYTES)
        listed = is_listed(release, data, f"{self.describe()}/{INDEX}")
        return release.digest if listed else None

    def release(self, name: str, version: str) -> Release | None:
        """Return a published version, or None; raises PipelineError."""
        path = f"{name}/{version}/{RELEASE}"
        data = self.read(path, MOST_RELEASE_BYTES)
        return None if data is None else decode_release(data, f"{self.describe()}/{path}")

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small object, or None; raises PipelineError (PUBLISH)."""
        with self._faults(path):
            return self._bucket.read(path, limit)

    def download(self, path: str, target: Path, limit: int) -> None:
        """Download an object to a file; raises PipelineError (PUBLISH)."""
        with self._faults(path):
            if not self._bucket.download(path, target, limit):
                raise publish_error(f"{self.describe()}/{path}", "no such object")

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Upload the files, then release.json, then the index until it is up to date."""
        base = f"{release.name}/{release.version}"
        if self._check_free(release):
            self._write_index()
            return 0
        mine = self._claim(base, release)
        moved = 0
        with self._faults():
            for file in release.all_files:
                source = folder / file.path
                path = f"{base}/{file.path}"
                # The claim identifies the contents of the release's own files only.
                if mine and file in release.files and self._bucket.size(path) == file.size:
                    continue
                if Digest.of_file(source) != Digest(file.sha256, file.size):
                    raise changed(source)
                progress(f"uploading {file.path}")
                self._bucket.upload(path, source)
                moved += file.size
            self._bucket.write(f"{base}/{SUMS}", release.sums())
            # Another publisher may have considered this one dead and taken over its claim.
            if self._claimed(base) != release.digest:
                raise publish_error(self.describe(), "another publisher took over")
            self._bucket.write(f"{base}/{RELEASE}", release.encode())
            self._bucket.remove(f"{base}/{_CLAIM}")
        self._write_index()
        return moved

    def _claim(self, base: str, release: Release) -> bool:
        """Claim the version for this release; return whether an earlier run of it already had."""
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
                self._bucket.remove_folder(base)
        claim = json.dumps({"root": release.digest, "since": time.time()}).encode()
        with self._faults():
            self._bucket.write(f"{base}/{_CLAIM}", claim)
        if self._claimed(base) != release.digest:
            raise publish_error(f"{self.describe()}/{base}", "another publisher claimed it first")
        # Another publisher may have finished, and removed its claim, before this one was written.
        try:
            self._check_free(release)
        except PipelineError:
            with self._faults():
                self._bucket.remove(f"{base}/{_CLAIM}")
            raise
        return root == release.digest

    def _check_free(self, release: Release) -> bool:
        """Return whether the version is there already; raises PipelineError if it is another."""
        there = self.release(release.name, release.version)
        if there and there.digest != release.digest:
            raise version_conflict(release, there.digest, self.describe())
        return there is not None

    def _claimed(self, base: str) -> str | None:
        return _parsed(self.read(f"{base}/{_CLAIM}", MOST_BYTES))[0]

    def _write_index(self) -> None:
        """Write the index of all releases, until no other was published meanwhile.

        Every publisher lists after its own release is visible, so the last one sees all.
        """
        for _ in range(_ROUNDS):
            data = self.read(INDEX, MOST_BYTES)
            mirrors = decode(data, f"{self.describe()}/{INDEX}").mirrors if data else ()
            now = encode(index_of(self._releases(), mirrors))
            if now == data:
                return
            with self._faults():
                self._bucket.write(INDEX, now)
        raise publish_error(f"{self.describe()}/{INDEX}", "too many concurrent publishers")

    def _releases(self) -> Iterator[Release]:
        with self._faults():
            paths = self._bucket.glob(f"*/*/{RELEASE}")
        for path in paths:
            name, version = path.split("/")[-3:-1]
            release = self.release(name, version)
            if release is not None:
                yield release

    @contextmanager
    def _faults(self, path: str = "") -> Iterator[None]:
        try:
            yield
        except BucketError as error:
            hint = "Check the credentials and their write permission." if error.final else ""
            where = f"{self.describe()}{'/' if path else ''}{path}"
            raise publish_error(where, str(error), hint) from None


class BucketReader:
    """A bucket, or another file system of fsspec."""

    def __init__(self, url: str, downloads: DownloadCache) -> None:
        self._bucket = Bucket(url)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return self._bucket.describe()

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small object, or None; raises PipelineError."""
        return self._bucket.read(path, limit)

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return the verified object in the cache; raises PipelineError."""
        expected = expected_file(digest)
        if kept := self._downloads.get(expected):
            return kept
        self._downloads.progress(f"downloading {path}")
        target = self._downloads.folder / expected.name
        with atomic_write(target) as part:
            self._bucket.download(path, part, digest.size)
            expected.check(part, f"{self.describe()}/{path}")
        return target


def _parsed(data: bytes | None) -> tuple[str | None, float]:
    try:
        claim = json.loads(data or b"{}")
        return (str(claim["root"]), float(claim["since"])) if claim else (None, 0.0)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None, 0.0
