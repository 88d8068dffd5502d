"""Fetch releases from a model hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.places.hub_client import HubClient
from pipeline.publish.places.resumed_download import resumed_download
from pipeline.publish.release.release import (
    MOST_BYTES,
    Release,
    ReleasedFile,
    check_version,
    decode,
)
from pipeline.publish.release.release_index import RELEASE
from pipeline.source.download_cache import DownloadCache


class HubOrigin:
    """The repositories of one owner."""

    def __init__(self, owner: str, downloads: DownloadCache) -> None:
        self._hub = HubClient(owner)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return self._hub.describe()

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the tags that are valid versions; raises PipelineError."""
        found: dict[str, object] = {}
        for tag in self._hub.tags(name):
            try:
                check_version(tag)
            except PipelineError:
                continue
            found[tag] = None
        return found

    def release(self, name: str, version: str) -> Release:
        """Return a version; raises PipelineError."""
        where = f"{self.describe()}/{name}@{version}"
        data = self._hub.read(name, version, RELEASE, MOST_BYTES)
        if data is None:
            raise PipelineError(Code.USAGE, "No such version.", where=where)
        release = decode(data, where)
        if (release.name, release.version) != (name, version):
            raise PipelineError(
                Code.SOURCE_MISMATCH,
                "The tag contains another release.",
                where=where,
                expected=f"{name} {version}",
                found=f"{release.name} {release.version}",
                hint="Nothing of the release was used.",
            )
        return release

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the evidence files listed in release.json."""
        return self.release(release.name, release.version).evidence

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return the verified file in the cache; raises PipelineError."""

        def fill(part: Path, on_bytes: Callable[[int], None]) -> None:
            self._hub.download(release.name, release.version, file.path, file.size, part, on_bytes)

        return resumed_download(
            self._downloads, file, f"{self.describe()}/{release.name}", "hub", fill
        )
