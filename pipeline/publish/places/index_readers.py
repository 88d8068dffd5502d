"""Readers of an index's files: over HTTP, from a folder, from a bucket."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from pipeline.cache.atomic import aside
from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.http.urls import http_fault, shown
from pipeline.publish.places.bucket import Bucket
from pipeline.source.download import read_page
from pipeline.source.download_cache import Downloads
from pipeline.source.expected_file import Wanted

# The general limit is for large files; a slow server should not use it up for a small one.
_SHORT_SECONDS = 120.0


class HttpReader:
    """A static site: https, or http on localhost."""

    def __init__(self, url: str, downloads: Downloads) -> None:
        self._url = url.rstrip("/").removesuffix("/index.json")
        if fault := http_fault(self._url):
            raise PipelineError(Code.USAGE, "Unsupported URL.", where=shown(url), expected=fault)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return shown(self._url)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        patience = self._downloads.patience
        page = read_page(
            f"{self._url}/{quote(path)}",
            accept="application/json, */*",
            limit=limit,
            say=self._downloads.say,
            patience=replace(patience, whole=min(patience.whole, _SHORT_SECONDS)),
        )
        return None if page is None else page.body

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return the file, downloaded if it is not cached; raises PipelineError."""
        url = f"{self._url}/{quote(path)}"
        return self._downloads.obtain(url, _wanted(digest), shown(url))


class FolderReader:
    """A local folder."""

    def __init__(self, root: Path, downloads: Downloads) -> None:
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
        wanted = _wanted(digest)
        source = self._root / path
        if kept := self._downloads.kept(wanted):
            return kept
        target = self._downloads.folder / wanted.name
        if not source.is_file():
            raise PipelineError(
                Code.SOURCE_UNREACHABLE, "A file of the release is missing.", where=str(source)
            )
        with aside(target) as part, source.open("rb") as stream:
            wanted.write(iter(lambda: stream.read(1 << 20), b""), part, str(source))
        return target


class BucketReader:
    """A bucket, or another file system of fsspec."""

    def __init__(self, url: str, downloads: Downloads) -> None:
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
        wanted = _wanted(digest)
        if kept := self._downloads.kept(wanted):
            return kept
        self._downloads.say(f"downloading {path}")
        target = self._downloads.folder / wanted.name
        with aside(target) as part:
            self._bucket.download(path, part, digest.size)
            wanted.check(part, f"{self.describe()}/{path}")
        return target


def _wanted(digest: Digest) -> Wanted:
    return Wanted(digest.size, {"sha256": digest.sha256})


def _too_long(where: str, limit: int) -> PipelineError:
    return PipelineError(
        Code.SOURCE_MISMATCH,
        "The file is too large.",
        where=where,
        expected=f"at most {limit} bytes",
    )
