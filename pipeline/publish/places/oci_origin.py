"""Fetch releases from an OCI registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.oci_artifact import evidence_tag, parse, parse_evidence
from pipeline.publish.places.oci_client import OciClient
from pipeline.publish.places.resumed_download import resumed_download
from pipeline.publish.release.release import Release, ReleasedFile
from pipeline.source.download_cache import DownloadCache


class OciOrigin:
    """A registry and a namespace in it."""

    def __init__(self, place: str, downloads: DownloadCache) -> None:
        self._registry = OciClient(place)
        self._downloads = downloads

    def describe(self) -> str:
        """Return the URL."""
        return self._registry.describe()

    def versions(self, name: str) -> Mapping[str, object]:
        """Return the tags of a fixture, except those of evidence; raises PipelineError."""
        tags = self._registry.tags(name)
        return {tag: None for tag in tags if not tag.endswith(".evidence")}

    def release(self, name: str, version: str) -> Release:
        """Return a version; raises PipelineError."""
        where = f"{self.describe()}/{name}:{version}"
        data = self._registry.manifest(name, version)
        if data is None:
            raise PipelineError(Code.USAGE, "No such version.", where=where)
        return parse(data, name, version, where)

    def evidence(self, release: Release) -> tuple[ReleasedFile, ...]:
        """Return the files of the evidence's artifact, or none if there is no such artifact."""
        tag = evidence_tag(release)
        data = self._registry.manifest(release.name, tag)
        where = f"{self.describe()}/{release.name}:{tag}"
        return () if data is None else parse_evidence(data, release, where)

    def obtain(self, release: Release, file: ReleasedFile) -> Path:
        """Return the verified blob in the cache; raises PipelineError."""

        def fill(part: Path, on_bytes: Callable[[int], None]) -> None:
            self._registry.get_blob(release.name, Digest(file.sha256, file.size), part, on_bytes)

        where = f"{self.describe()}/{release.name}"
        return resumed_download(self._downloads, file, where, "oci", fill)
