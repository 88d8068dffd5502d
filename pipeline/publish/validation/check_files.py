"""Check a folder's files against the manifest, the sums and the lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISREG

from pipeline.errors import printable
from pipeline.publish.release.derived_files import CARD, DERIVED_FILES
from pipeline.publish.release.lock_file import LockedFixture
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.release.release import DATASETS, EVIDENCE, SUMS, Release
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import MANIFEST

_MOST_SUMS = 4 << 20
# Excess size up to which files are hashed before they are reported.
_MOST_BEYOND = 64 << 20


def oversized(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield files that are far larger than declared, or large and undeclared.

    They are reported without being hashed, which would take long.
    """
    declared = {file.path: file.size for file in manifest.files}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        about = path.lstat()
        beside = name.partition("/")[0] in (EVIDENCE, DATASETS)
        size = declared.get(name, 0)
        if not beside and S_ISREG(about.st_mode) and about.st_size > size + _MOST_BEYOND:
            yield Finding(
                kind="size" if name in declared else "undeclared",
                message="The file is far larger than the manifest declares.",
                file=name,
                line=_line(folder, name),
                expected=f"{size} bytes" if name in declared else "no such file",
                found=f"{about.st_size} bytes",
            )


def against_manifest(folder: Path, manifest: Manifest, there: Release) -> Iterator[Finding]:
    """Yield the differences between the existing and the declared files."""
    found = {file.path: file for file in there.files}
    declared = {file.path: file for file in manifest.files}
    for path, file in sorted(declared.items()):
        now = found.get(path)
        if now is None:
            yield Finding(
                kind="missing",
                message="A declared file is missing.",
                file=path,
                line=_line(folder, path),
                expected=f"{file.size} bytes, sha256 {file.sha256}",
            )
        elif (now.size, now.sha256) != (file.size, file.sha256):
            yield Finding(
                kind="size" if now.size != file.size else "digest",
                message="The file does not match the manifest.",
                file=path,
                line=_line(folder, path),
                expected=f"{file.size} bytes, sha256 {file.sha256}",
                found=f"{now.size} bytes, sha256 {now.sha256}",
                hint=_taken_for(now.sha256, declared, path),
            )
    for path in sorted(set(found) - set(declared) - {MANIFEST} - DERIVED_FILES):
        yield Finding(
            kind="undeclared",
            message="The file is not declared in the manifest.",
            file=path,
            expected="the files of the manifest, evidence/ and SHA256SUMS",
            hint="Remove it, or rebuild the fixture.",
        )


def check_derived_files(folder: Path, manifest: Manifest, there: Release) -> Iterator[Finding]:
    """Yield missing files that are derived from the manifest; versions before 3 had none."""
    if manifest.manifest_version < 3:
        return
    found = {file.path for file in there.files}
    for name in sorted(DERIVED_FILES):
        if name not in found and not (folder / name).is_file():
            yield Finding(
                kind="missing",
                message="A file derived from the manifest is missing.",
                file=name,
                hint="Fetch the folder again, or rebuild the fixture.",
            )


def against_sums(folder: Path, there: Release) -> Iterator[Finding]:
    """Yield the differences from SHA256SUMS, if it exists."""
    path = folder / SUMS
    if not path.exists():
        return
    if path.stat().st_size > _MOST_SUMS:
        yield Finding(kind="sums", message="SHA256SUMS is too large.", file=SUMS)
        return
    text = path.read_bytes()
    now = dict(_lines(there.sums()))
    manifest = dict(_lines(text))
    # Undeclared files are reported elsewhere.
    wrong = [name for name, sha256 in manifest.items() if now.get(name) != sha256]
    wrong += ({MANIFEST} | DERIVED_FILES) & (now.keys() - manifest.keys())
    if not wrong and {SUMS, *manifest} == {SUMS, *now} and text != there.sums():
        yield Finding(
            kind="sums",
            message="SHA256SUMS is not formatted canonically.",
            file=SUMS,
            expected=f"{len(there.sums())} bytes, a line for each file, sorted by path",
            found=f"{len(text)} bytes",
        )
    for name in sorted(wrong):
        yield Finding(
            kind="sums",
            message="The checksum does not match the file.",
            file=name,
            expected=f"sha256 {manifest[name]}" if name in manifest else "a line in SHA256SUMS",
            found=f"sha256 {now[name]}" if name in now else "no such file",
        )


def _lines(sums: bytes) -> Iterator[tuple[str, str]]:
    for line in sums.decode(errors="replace").splitlines():
        sha256, _, name = line.partition("  ")
        yield printable(name[:240]), printable(sha256[:64])


def against_lock(locked: LockedFixture, there: Release) -> Iterator[Finding]:
    """Yield the differences from the lock, for the files that it has."""
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


def against_evidence(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield evidence without a case."""
    evidence = folder / EVIDENCE
    if not evidence.is_dir():
        return
    for path in sorted(evidence.iterdir()):
        if path.name not in manifest.tensors and path.name != CARD:
            yield Finding(
                kind="undeclared",
                message="The manifest has no case for this evidence.",
                file=f"{EVIDENCE}/{path.name}",
            )


def _taken_for(sha256: str, declared: Mapping[str, object], path: str) -> str:
    others = [
        name
        for name, file in declared.items()
        if name != path and getattr(file, "sha256", "") == sha256
    ]
    return f"Its bytes are those of {others[0]}." if others else ""


def _line(folder: Path, path: str) -> int | None:
    """Return the line of the manifest that declares a file."""
    text = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if f'"path": "{path}"' in line:
            return number
    return None
