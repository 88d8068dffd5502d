"""Releases in an OCI registry: `HOST/NAMESPACE/name:version`."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed
from pipeline.publish.places.oci_artifact import (
    Artifact,
    artifact,
    digest_in,
    evidence_artifact,
    evidence_tag,
    tag_of,
)
from pipeline.publish.places.oci_client import OciClient
from pipeline.publish.release.release import Release, ReleasedFile

_AT_A_TIME = 4


class OciRegistry:
    """A tag is pushed after all blobs, so a version appears atomically."""

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
