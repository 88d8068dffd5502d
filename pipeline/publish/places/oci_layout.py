"""Releases in an OCI image layout: a folder that registry tools can copy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pipeline.cache.atomic import atomic_write, write_bytes
from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.folder import changed, read_file
from pipeline.publish.places.oci_artifact import (
    MANIFEST_TYPE,
    MOST_MANIFEST_BYTES,
    artifact,
    digest_in,
    evidence_artifact,
)
from pipeline.publish.release.release import Release
from pipeline.publish.release.release_index import MOST_BYTES

_REFERENCE = "org.opencontainers.image.ref.name"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


class OciLayout:
    """``oci-layout``, ``index.json`` and ``blobs/sha256/``; references are `name:version`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self) -> str:
        """Return the URL."""
        return f"oci-layout:{self._root}"

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        for entry in self._index()["manifests"]:
            if (entry.get("annotations") or {}).get(_REFERENCE) == f"{name}:{version}":
                path = self._blob(str(entry["digest"]).removeprefix("sha256:"))
                try:
                    return digest_in(json.loads(read_file(path, MOST_MANIFEST_BYTES) or b""))
                except (OSError, ValueError, AttributeError, RecursionError, PipelineError):
                    return ""
        return None

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Write the missing blobs, then the index."""
        from filelock import FileLock

        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with FileLock(self._root / ".publishing.lock"):
                root = self.digest_of(release.name, release.version)
                if root == release.digest:
                    return 0
                if root is not None:
                    raise version_conflict(release, root, self.describe())
                return self._publish(release, folder, progress)
        except OSError as error:
            raise publish_error(
                str(error.filename or self._root), error.strerror or str(error)
            ) from None

    def _publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        moved = 0
        for file in release.all_files:
            target = self._blob(file.sha256)
            if target.exists():
                continue
            progress(f"copying {file.path}")
            with atomic_write(target) as part:
                shutil.copyfile(folder / file.path, part)
                if Digest.of_file(part) != Digest(file.sha256, file.size):
                    raise changed(folder / file.path)
            moved += file.size
        index = self._index()
        named = ((artifact(release), ""), (evidence_artifact(release), ".evidence"))
        for made, suffix in named:
            if made is None:
                continue
            for document in (made.config, made.manifest):
                write_bytes(self._blob(Digest.of_bytes(document).sha256), document)
            digest = Digest.of_bytes(made.manifest)
            index["manifests"].append(
                {
                    "mediaType": MANIFEST_TYPE,
                    "digest": f"sha256:{digest.sha256}",
                    "size": digest.size,
                    "annotations": {_REFERENCE: f"{release.name}:{release.version}{suffix}"},
                }
            )
        write_bytes(self._root / "oci-layout", _LAYOUT)
        write_bytes(self._root / "index.json", json.dumps(index, indent=1).encode() + b"\n")
        return moved

    def _index(self) -> dict[str, Any]:
        path = self._root / "index.json"
        try:
            data = read_file(path, MOST_BYTES)
            if data is None:
                return {"schemaVersion": 2, "manifests": []}
            index = json.loads(data)
            if all(isinstance(entry, dict) for entry in index["manifests"]):
                return dict(index)
        except (OSError, ValueError, KeyError, TypeError, RecursionError, PipelineError):
            pass
        raise PipelineError(
            Code.USAGE,
            "The folder has an index.json that is not an OCI image layout.",
            where=str(path),
        )

    def _blob(self, sha256: str) -> Path:
        return self._root / "blobs" / "sha256" / sha256
