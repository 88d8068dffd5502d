"""A release as an OCI artifact: ModelPack's media types, with each file as a layer.

Sources: OCI image specification 1.1 (manifest, image layout); ModelPack's model-spec (media types
of config and layers, and the annotation with a file's path).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from msgspec import to_builtins

from pipeline.cache.digest import Digest, canonical_json
from pipeline.errors import Code, PipelineError, printable
from pipeline.publish.release.release import SIGNATURE, Release, ReleasedFile
from pipeline.publish.release.release import decode as decode_release

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MOST_MANIFEST_BYTES = 4 << 20
_ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
_PATH = "org.cncf.model.filepath"
_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_ROOT = "wasi-nn.root"

_LAYER_TYPES = {
    ".bin": "application/vnd.cncf.model.weight.v1.raw",
    ".xml": "application/vnd.cncf.model.weight.config.v1.raw",
    ".wasm": "application/vnd.cncf.model.code.v1.raw",
    ".md": "application/vnd.cncf.model.doc.v1.raw",
    ".txt": "application/vnd.cncf.model.doc.v1.raw",
    ".json": "application/vnd.cncf.model.doc.v1.raw",
}
_OTHER = "application/vnd.cncf.model.dataset.v1.raw"


@dataclass(frozen=True)
class Artifact:
    """Config and manifest of a release, as canonical JSON; its other blobs are its files."""

    config: bytes
    manifest: bytes


def tag_of(release: Release) -> str:
    """Return the tag of a release's artifact."""
    return release.version


def evidence_tag(release: Release) -> str:
    """Return the tag of the artifact of a release's evidence."""
    return f"{release.version}.evidence"


def artifact(release: Release) -> Artifact:
    """Return the artifact of a release: the same bytes on every machine."""
    files = (*release.files, *release.signature)
    return _artifact(release.name, release.version, files, release.digest)


def evidence_artifact(release: Release) -> Artifact | None:
    """Return the artifact of a release's evidence, or None."""
    if not release.evidence:
        return None
    return _artifact(release.name, f"{release.version}.evidence", release.evidence, "")


def digest_in(manifest: Mapping[str, Any]) -> str:
    """Return the root digest in a manifest, or '' if it is not a release."""
    return str((manifest.get("annotations") or {}).get(_ROOT, ""))


def parse(data: bytes, name: str, version: str, where: str) -> Release:
    """Return the release that a manifest describes; raises PipelineError (SOURCE_MISMATCH)."""
    try:
        manifest = json.loads(data)
        layers = _layers(manifest)
        apart = [layer for layer in layers if layer["path"] == SIGNATURE]
        release = decode_release(
            canonical_json(
                {
                    "name": name,
                    "version": version,
                    "files": [layer for layer in layers if layer not in apart],
                    "signature": apart,
                    "release_version": 1,
                }
            ),
            where,
        )
        declared = digest_in(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = f"{type(error).__name__}: {printable(str(error)[:100])}"
        raise _no_release(where, "an artifact with ModelPack's layers", found) from None
    if declared != release.digest:
        raise _no_release(where, declared or "a root digest", release.digest)
    return release


def parse_evidence(data: bytes, release: Release, where: str) -> tuple[ReleasedFile, ...]:
    """Return the files of a release's evidence; raises PipelineError (SOURCE_MISMATCH)."""
    try:
        found = {**to_builtins(release), "evidence": _layers(json.loads(data)), "signature": []}
        return decode_release(canonical_json(found), where).evidence
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found_error = f"{type(error).__name__}: {printable(str(error)[:100])}"
        raise _no_release(where, "an artifact with ModelPack's layers", found_error) from None


def _layers(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "path": layer["annotations"][_PATH],
            "size": layer["size"],
            "sha256": layer["digest"].removeprefix("sha256:"),
        }
        for layer in manifest["layers"]
    ]


def _artifact(name: str, version: str, files: tuple[ReleasedFile, ...], root: str) -> Artifact:
    config = canonical_json(
        {
            "descriptor": {"name": name, "version": version},
            "modelfs": {"type": "layers", "diffIds": [f"sha256:{each.sha256}" for each in files]},
            "config": {"format": "openvino-ir"},
        }
    )
    annotations = {_TITLE: name, _VERSION: version} | ({_ROOT: root} if root else {})
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": _ARTIFACT_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, **_blob(Digest.of_bytes(config))},
        "layers": [
            {
                "mediaType": _LAYER_TYPES.get(PurePosixPath(each.path).suffix, _OTHER),
                **_blob(Digest(each.sha256, each.size)),
                "annotations": {_PATH: each.path},
            }
            for each in files
        ],
        "annotations": annotations,
    }
    return Artifact(config, canonical_json(manifest))


def _blob(digest: Digest) -> dict[str, object]:
    return {"digest": f"sha256:{digest.sha256}", "size": digest.size}


def _no_release(where: str, expected: str, found: str) -> PipelineError:
    return PipelineError(
        Code.SOURCE_MISMATCH,
        "The artifact is not a release of a fixture.",
        where=where,
        expected=expected,
        found=found,
        hint="Nothing of the artifact was used.",
    )
