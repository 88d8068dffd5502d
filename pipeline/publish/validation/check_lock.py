"""Check a fixture against its entry in a lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.publish.release.lock_file import LockedFixture, declared_digest
from pipeline.publish.release.manifest_tables import MANIFEST_VERSION, Manifest
from pipeline.publish.release.release import Release
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import MANIFEST


def against_lock(
    lock: Mapping[str, LockedFixture], folder: Path, manifest: Manifest, there: Release
) -> Iterator[Finding]:
    """Yield the differences from the lock; what it does not cover is derived from the manifest."""
    locked = lock.get(manifest.name)
    if locked is None:
        yield Finding(
            kind="lock",
            message="The lock has no such fixture.",
            file=MANIFEST,
            expected=", ".join(sorted(lock)[:10]) or "a fixture; the lock is empty",
            found=manifest.name,
            hint="If it is yours: doit lock",
        )
        return
    found = {file.path: file for file in there.files}
    for path, file in sorted(locked.files.items()):
        now = found.get(path)
        if now is None or (now.size, now.sha256) != (file.size, file.sha256):
            yield Finding(
                kind="lock",
                message="The file does not match the lock.",
                file=path,
                expected=f"{file.size} bytes, sha256 {file.sha256}",
                found="none" if now is None else f"{now.size} bytes, sha256 {now.sha256}",
            )
    for path in sorted({file.path for file in manifest.files} - locked.files.keys()):
        yield Finding(kind="lock", message="The file is not in the lock.", file=path)
    if manifest.manifest_version != MANIFEST_VERSION:
        yield Finding(
            kind="lock",
            message="The files derived from a manifest of this version cannot be compared.",
            file=MANIFEST,
            expected=f"manifest_version {MANIFEST_VERSION}",
            found=str(manifest.manifest_version),
            hint="Check it with the release digest (--expect) or the publisher's key (--key).",
        )
        return
    yield from _declared(locked, (folder / MANIFEST).read_bytes())


def _declared(locked: LockedFixture, text: bytes) -> Iterator[Finding]:
    manifest = json.loads(text)
    # Two keys of one name, of which readers see one or the other, are not written so.
    if json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n" != text:
        yield Finding(
            kind="lock", message="The manifest is not formatted canonically.", file=MANIFEST
        )
    digest = declared_digest(manifest)
    if digest != locked.manifest:
        yield Finding(
            kind="lock",
            message="The manifest does not match the lock: sources, licences, tensors or texts.",
            file=MANIFEST,
            expected=f"declared digest {locked.manifest or 'none; the lock is older: doit lock'}",
            found=digest,
        )
