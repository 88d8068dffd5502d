"""The image layout: as its schema says, and a registry takes it as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from pipeline.publish.fetch_release import fetch
from pipeline.publish.places.destination import publish_all
from pipeline.publish.places.open_place import open_destination
from pipeline.publish.release.release import release_of
from tests.programs import require_program
from tests.publish.places import registry

DESCRIPTOR = {
    "type": "object",
    "required": ["mediaType", "digest", "size"],
    "properties": {
        "mediaType": {"type": "string", "pattern": "^[A-Za-z0-9][\\w.+!#$&^-]*/[\\w.+!#$&^-]+$"},
        "digest": {"type": "string", "pattern": "^sha256:[a-f0-9]{64}$"},
        "size": {"type": "integer", "minimum": 0},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
# Source: OCI image specification 1.1, manifest.md and descriptor.md.
MANIFEST = {
    "type": "object",
    "required": ["schemaVersion", "mediaType", "config", "layers"],
    "properties": {
        "schemaVersion": {"const": 2},
        "mediaType": {"const": "application/vnd.oci.image.manifest.v1+json"},
        "artifactType": {"type": "string"},
        "config": DESCRIPTOR,
        "layers": {"type": "array", "minItems": 1, "items": DESCRIPTOR},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "additionalProperties": False,
}


@pytest.fixture
def layout(tmp_path: Path, fixture_folder: Path) -> Path:
    for version in ("1.0", "1.1"):
        release = release_of(fixture_folder, version)
        place = open_destination(f"oci-layout:{tmp_path / 'layout'}")
        publish_all(place, [(release, fixture_folder)], dry_run=False, progress=lambda _: None)
    return tmp_path / "layout"


def test_the_layout_is_as_the_specification_says(layout: Path) -> None:
    import hashlib

    import jsonschema

    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_bytes())
    assert index["schemaVersion"] == 2
    names = {
        each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]
    }
    assert names == {"tiny:1.0", "tiny:1.1", "tiny:1.0.evidence", "tiny:1.1.evidence"}
    blobs = layout / "blobs" / "sha256"
    for path in blobs.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    for entry in index["manifests"]:
        document = json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_bytes())
        jsonschema.validate(document, MANIFEST)
        for blob in (document["config"], *document["layers"]):
            assert (blobs / blob["digest"].removeprefix("sha256:")).stat().st_size == blob["size"]


def test_equal_files_are_one_blob(layout: Path, fixture_folder: Path) -> None:
    index = json.loads((layout / "index.json").read_bytes())
    first = index["manifests"][0]["digest"].removeprefix("sha256:")
    layers = json.loads((layout / "blobs" / "sha256" / first).read_bytes())["layers"]
    assert len({each["digest"] for each in layers}) == len(layers) - 1


def test_a_registry_takes_the_layout_and_gives_the_release(layout: Path, tmp_path: Path) -> None:
    skopeo = require_program("skopeo")
    with registry(tmp_path / "registry") as place:
        address = place.to.replace("oci://", "docker://")
        subprocess.run(
            [
                *(skopeo, "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"),
                *(f"oci:{layout}:tiny:1.0", f"{address}/tiny:1.0"),
            ],
            check=True,
        )
        folder = fetch("tiny", version="1.0", sources=[place.sources])
        assert (folder / "tiny.bin").stat().st_size == 256000
