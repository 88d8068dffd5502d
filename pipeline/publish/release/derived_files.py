"""Files derived from a manifest: card, script, provenance, bill of materials and sums."""

from __future__ import annotations

import json

from pipeline.cache.digest import Digest
from pipeline.publish.release.bom import bill_of_materials
from pipeline.publish.release.card import card, regenerate
from pipeline.publish.release.provenance import provenance
from pipeline.publish.release.release import EVIDENCE, SUMS, Release, ReleasedFile

CARD, SCRIPT, PROVENANCE, BILL = "README.md", "regenerate.sh", "provenance.json", "bom.json"
# Evidence of the machine that built the fixture.
FOUND = f"{EVIDENCE}/{CARD}"
# A manifest cannot list the digests of these; SHA256SUMS does.
DERIVED_FILES = frozenset({CARD, SCRIPT, PROVENANCE, BILL, SUMS})


def derived_files(text: bytes) -> dict[str, bytes]:
    """Return the bytes of each file derived from a manifest, of which ``text`` is the JSON."""
    manifest = json.loads(text)
    files = [ReleasedFile(**file) for file in manifest["files"]]
    files.append(_released("manifest.json", text))
    made = {
        CARD: card(manifest).encode(),
        SCRIPT: regenerate(manifest).encode(),
        PROVENANCE: provenance(manifest, files),
        BILL: bill_of_materials(manifest, files),
    }
    files += [_released(name, data) for name, data in made.items()]
    return made | {SUMS: Release(manifest["name"], "0", tuple(files)).sums()}


def _released(path: str, data: bytes) -> ReleasedFile:
    digest = Digest.of_bytes(data)
    return ReleasedFile(path, digest.size, digest.sha256)
