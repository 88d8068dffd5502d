"""Readers of an index's files: over HTTP, from a folder, from a bucket."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pipeline.cache.atomic import atomic_write
from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, redacted_url
from pipeline.publish.places.bucket import Bucket
from pipeline.source.download import read_page
from pipeline.source.download_cache import DownloadCache
from pipeline.source.expected_file import ExpectedFile

# The general limit is for large files; a slow server should not use it up for a small one.
_SHORT_SECONDS = 120.0


class HttpReader:
    """A static site: https, or http on localhost."""

    def __init__(self, url: str, downloads: DownloadCache) -> None:
        self._url = url.rstrip("/").removesuffix("/index.json")
        if fault := http_fault(self._url):
            raise PipelineError(
                Code.USAGE, "Unsupported URL.", where=redacted_url(url), expected=fault
            )
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return redacted_url(self._url)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        policy = self._downloads.policy
        page = read_page(
            f"{self._url}/{quote(path)}",
            accept="application/json, */*",
            limit=limit,
            progress=self._downloads.progress,
            policy=replace(policy, total=min(policy.total, _SHORT_SECONDS)),
        )
        return None if page is None else page.body

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return the file, downloaded if it is not cached; raises PipelineError."""
        url = f"{self._url}/{quote(path)}"
        return self._downloads.fetch(url, _expected(digest), redacted_url(url))


class FolderReader:
    """A local folder."""

    def __init__(self, root: Path, downloads: DownloadCache) -> None:
        self._root = root
        self._downloads = downloads

    def describe(self) -> str:
        """Return the path."""
        return str(self._root)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        try:
            with (self._root / path).open("rb") as stream:
                data = stream.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) > limit:
            raise _too_long(f"{self._root}/{path}", limit)
        return data

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return a verified copy of the file in the cache; raises PipelineError."""
        expected = _expected(digest)
        source = self._root / path
        if kept := self._downloads.get(expected):
            return kept
        target = self._downloads.folder / expected.name
        if not source.is_file():
            raise PipelineError(
                Code.SOURCE_UNREACHABLE, "A file of the release is missing.", where=str(source)
            )
        with atomic_write(target) as part, source.open("rb") as stream:
            expected.write(iter(lambda: stream.read(1 << 20), b""), part, str(source))
        return target


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
        expected = _expected(digest)
        if kept := self._downloads.get(expected):
            return kept
        self._downloads.progress(f"downloading {path}")
        target = self._downloads.folder / expected.name
        with atomic_write(target) as part:
            self._bucket.download(path, part, digest.size)
            expected.check(part, f"{self.describe()}/{path}")
        return target


def _expected(digest: Digest) -> ExpectedFile:
    return ExpectedFile(digest.size, {"sha256": digest.sha256})


def _too_long(where: str, limit: int) -> PipelineError:
    return PipelineError(
        Code.SOURCE_MISMATCH,
        "The file is too large.",
        where=where,
        expected=f"at most {limit} bytes",
    )
