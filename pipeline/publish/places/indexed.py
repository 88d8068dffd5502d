"""Fetch releases through an index.json: from a folder, a static site, or a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.release.release import MOST_BYTES as MOST_RELEASE_BYTES
from pipeline.publish.release.release import Release, ReleasedFile
from pipeline.publish.release.release import decode as decode_release
from pipeline.publish.release.release_index import (
    INDEX,
    MOST_BYTES,
    RELEASE,
    Index,
    IndexEntry,
    decode,
)
from pipeline.source.expected_file import ExpectedFile


class Reader(Protocol):
    """Reads files of such a place."""

    def describe(self) -> str:
        """Return the place for messages."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        ...

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return a local file with the bytes of a remote one; raises PipelineError."""
        ...


class IndexedOrigin:
    """A place with an index; its mirrors are tried in order for files that it lacks."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: Index | None = None

    def describe(self) -> str:
        """Return the place."""
        return self._reader.describe()

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The mirrors that the index names."""
        return self._index().mirrors

    def listing(self) -> Mapping[str, Mapping[str, IndexEntry]]:
        """Return the versions of every fixture; raises PipelineError."""
        return self._index().fixtures

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the versions of a fixture; raises PipelineError."""
        return self._index().fixtures.get(name, {})

    def release(self, name: str, version: str) -> Release:
        """Return a version, after checking its release.json against the index."""
        entry = self._index().fixtures[name][version]
        path = f"{name}/{version}/{RELEASE}"
        where = f"{self.describe()}/{path}"
        data = self._reader.read(path, MOST_RELEASE_BYTES)
        found = "no such file" if data is None else f"sha256:{Digest.of_bytes(data).sha256}"
        if data is None or found != entry.release:
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                "release.json does not match the digest in index.json.",
                where=where,
                expected=entry.release,
                found=found,
            )
        release = decode_release(data, where)
        if (release.name, release.version, release.digest) != (name, version, entry.root):
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                "release.json does not match its entry in index.json.",
                where=where,
                expected=f"{name} {version}, {entry.root}",
                found=f"{release.name} {release.version}, {release.digest}",
            )
        return release

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the evidence files listed in release.json."""
        return self.release(release.name, release.version).evidence

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return a file of a release."""
        path = f"{release.name}/{release.version}/{file.path}"
        return self._reader.obtain(path, Digest(file.sha256, file.size))

    def _index(self) -> Index:
        if self._known is None:
            data = self._reader.read(INDEX, MOST_BYTES)
            if data is None:
                raise PipelineError(
                    Code.SOURCE_UNREACHABLE,
                    "No index of releases.",
                    where=f"{self.describe()}/{INDEX}",
                    hint="Give the URL of the folder that contains index.json.",
                )
            self._known = decode(data, f"{self.describe()}/{INDEX}")
        return self._known


def expected_file(digest: Digest) -> ExpectedFile:
    """Return a file of a release as the download folder expects it."""
    return ExpectedFile(digest.size, {"sha256": digest.sha256})
