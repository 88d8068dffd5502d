"""Generate the files derived from a manifest again, and compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.cache.digest import Digest
from pipeline.publish.release.derived_files import DERIVED_FILES, derived_files
from pipeline.publish.release.manifest_tables import MANIFEST_VERSION, Manifest
from pipeline.publish.release.release import SUMS, Release
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import MANIFEST


def derived(folder: Path, manifest: Manifest, there: Release) -> Iterator[Finding]:
    """Yield files that are missing, or are not those derived from the manifest.

    Versions before 3 had none; those of other versions than the current one cannot be generated.
    """
    if manifest.manifest_version < 3:
        return
    found = {file.path: file for file in there.files}
    for name in sorted(DERIVED_FILES):
        if name not in found and not (folder / name).is_file():
            yield Finding(
                kind="missing",
                message="A file derived from the manifest is missing.",
                file=name,
                hint="Fetch the folder again, or rebuild the fixture.",
            )
    if manifest.manifest_version != MANIFEST_VERSION:
        return
    text = (folder / MANIFEST).read_bytes()
    try:
        made = derived_files(text)
    # Keys that only people read may have any type.
    except Exception as error:
        yield Finding(
            kind="manifest",
            message="The manifest's card, provenance and bill of materials cannot be derived.",
            file=MANIFEST,
            found=f"{type(error).__name__}: {error}"[:200],
        )
        return
    for name in sorted(made.keys() - {SUMS}):
        expected = Digest.of_bytes(made[name])
        now = found.get(name)
        if now is not None and now.sha256 != expected.sha256:
            yield Finding(
                kind="derived",
                message="The file is not the one derived from the manifest.",
                file=name,
                expected=f"{expected.size} bytes, sha256 {expected.sha256}",
                found=f"{now.size} bytes, sha256 {now.sha256}",
                hint="Fetch the folder again, or rebuild the fixture.",
            )
