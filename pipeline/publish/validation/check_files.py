"""Check a folder's files against the manifest, the sums and the lock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISREG

from pipeline.errors import printable
from pipeline.publish.release.derived_files import DERIVED_FILES
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.release.release import DATASETS, EVIDENCE, SUMS, Release
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.read_manifest import MANIFEST

_PATH = re.compile(r'"path": "([^"]*)"')
_MOST_SUMS = 4 << 20
# Excess size up to which files are hashed before they are reported.
_MOST_BEYOND = 64 << 20


def oversized(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    """Yield files that are far larger than declared, or large and undeclared.

    They are reported without being hashed, which would take long.
    """
    lines = _lines_of(folder)
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
                line=lines.get(name),
                expected=f"{size} bytes" if name in declared else "no such file",
                found=f"{about.st_size} bytes",
            )


def against_manifest(folder: Path, manifest: Manifest, there: Release) -> Iterator[Finding]:
    """Yield the differences between the existing and the declared files."""
    lines = _lines_of(folder)
    found = {file.path: file for file in there.files}
    declared = {file.path: file for file in manifest.files}
    names: dict[str, list[str]] = {}
    for file in manifest.files:
        names.setdefault(file.sha256, []).append(file.path)
    for path, file in sorted(declared.items()):
        now = found.get(path)
        if now is None:
            yield Finding(
                kind="missing",
                message="A declared file is missing.",
                file=path,
                line=lines.get(path),
                expected=f"{file.size} bytes, sha256 {file.sha256}",
            )
        elif (now.size, now.sha256) != (file.size, file.sha256):
            yield Finding(
                kind="size" if now.size != file.size else "digest",
                message="The file does not match the manifest.",
                file=path,
                line=lines.get(path),
                expected=f"{file.size} bytes, sha256 {file.sha256}",
                found=f"{now.size} bytes, sha256 {now.sha256}",
                hint=_taken_for(names.get(now.sha256, []), path),
            )
    for path in sorted(set(found) - set(declared) - {MANIFEST} - DERIVED_FILES):
        yield Finding(
            kind="undeclared",
            message="The file is not declared in the manifest.",
            file=path,
            expected="the files of the manifest, evidence/ and SHA256SUMS",
            hint="Remove it, or rebuild the fixture.",
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


def _taken_for(names: Sequence[str], path: str) -> str:
    others = (name for name in names if name != path)
    return next((f"Its bytes are those of {name}." for name in others), "")


def _lines_of(folder: Path) -> Mapping[str, int]:
    """Return the line of the manifest that declares each file."""
    text = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace")
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for path in _PATH.findall(line):
            lines.setdefault(path, number)
    return lines
