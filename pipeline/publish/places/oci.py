"""Releases in an OCI registry: `HOST/NAMESPACE/name:version`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.indexed import expected_file
from pipeline.publish.places.oci_artifact import (
    Artifact,
    artifact,
    digest_in,
    evidence_artifact,
    evidence_tag,
    parse,
    parse_evidence,
    tag_of,
)
from pipeline.publish.places.oci_client import OciClient
from pipeline.publish.release.release import Release, ReleasedFile
from pipeline.source.download_cache import DownloadCache

_AT_A_TIME = 4


class OciDestination:
    """Publish to a registry: a tag is pushed after all blobs, so a version appears atomically."""

    def __init__(self, place: str) -> None:
        self._registry = OciClient(place)

    def describe(self) -> str:
        """Return the URL."""
        return self._registry.describe()

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        data = self._registry.manifest(name, version)
        if data is None:
            return None
        try:
            return digest_in(json.loads(data))
        except (ValueError, AttributeError, RecursionError):
            return ""

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Upload the missing blobs, then the manifest with its tag."""
        moved = 0
        # The release's tag is pushed last: it makes the release visible.
        if about := evidence_artifact(release):
            moved = self._push(
                release, release.evidence, about, evidence_tag(release), folder, progress
            )
        files = (*release.files, *release.signature)
        moved += self._push(release, files, artifact(release), tag_of(release), folder, progress)
        # Registries cannot refuse an existing tag, so detect concurrent pushes here.
        root = self.digest_of(release.name, release.version)
        if root != release.digest:
            raise version_conflict(release, root or "", self.describe())
        return moved

    def _push(
        self,
        release: Release,
        files: tuple[ReleasedFile, ...],
        made: Artifact,
        tag: str,
        folder: Path,
        progress: TextProgress,
    ) -> int:
        unique = {file.sha256: file for file in files}

        def upload(file: ReleasedFile) -> int:
            digest = Digest(file.sha256, file.size)
            if self._registry.has_blob(release.name, digest):
                return 0
            path = folder / file.path
            if path.stat().st_size != file.size:
                raise changed(path)
            progress(f"uploading {file.path}")
            # The registry verifies the digest.
            self._registry.put_blob(release.name, digest, path)
            return file.size

        try:
            with ThreadPoolExecutor(_AT_A_TIME) as pool:
                moved = sum(pool.map(upload, unique.values()))
        except OSError as error:
            raise publish_error(
                str(error.filename or folder), error.strerror or str(error)
            ) from None
        config = Digest.of_bytes(made.config)
        if not self._registry.has_blob(release.name, config):
            self._registry.put_blob(release.name, config, made.config)
        self._registry.put_manifest(release.name, tag, made.manifest)
        return moved


class OciOrigin:
    """Fetch from a registry and a namespace in it."""

    def __init__(self, place: str, downloads: DownloadCache) -> None:
        self._registry = OciClient(place, downloads.policy)
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
        url = self._registry.blob_url(release.name, Digest(file.sha256, file.size))
        expected = expected_file(Digest(file.sha256, file.size))
        return self._downloads.fetch(url, expected, file.path, self._registry.get)
