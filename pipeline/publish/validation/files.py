"""Every file of a folder against the manifest, the sums and the lock; none undeclared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISREG

from pipeline.errors import printable
from pipeline.publish.companions import CARD, COMPANIONS
from pipeline.publish.lock import Locked
from pipeline.publish.manifest_tables import Stated
from pipeline.publish.release import DATASETS, EVIDENCE, SUMS, Release
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.stated import MANIFEST

_MOST_SUMS = 4 << 20
# What is hashed before it is told that it is too much.
_MOST_BEYOND = 64 << 20


def oversized(folder: Path, stated: Stated) -> Iterator[Finding]:
    """Yield the files that are far larger than declared, or far too large to be undeclared.

    None is opened: hashing them would take long, and end with the same.
    """
    declared = {file.path: file.size for file in stated.files}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        about = path.lstat()
        beside = name.partition("/")[0] in (EVIDENCE, DATASETS)
        size = declared.get(name, 0)
        if not beside and S_ISREG(about.st_mode) and about.st_size > size + _MOST_BEYOND:
            yield Finding(
                kind="size" if name in declared else "undeclared",
                message="The file is far larger than the manifest tells.",
                file=name,
                line=_line(folder, name),
                expected=f"{size} bytes" if name in declared else "no such file",
                found=f"{about.st_size} bytes",
            )


def against_manifest(folder: Path, stated: Stated, there: Release) -> Iterator[Finding]:
    """Yield what differs between the files that are there and those that are declared."""
    found = {file.path: file for file in there.files}
    declared = {file.path: file for file in stated.files}
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
                message="The file is not the one that the manifest declares.",
                file=path,
                line=_line(folder, path),
                expected=f"{file.size} bytes, sha256 {file.sha256}",
                found=f"{now.size} bytes, sha256 {now.sha256}",
                hint=_taken_for(now.sha256, declared, path),
            )
    for path in sorted(set(found) - set(declared) - {MANIFEST} - COMPANIONS):
        yield Finding(
            kind="undeclared",
            message="A file that the manifest does not declare lies in the folder.",
            file=path,
            expected="the files of the manifest, evidence/ and SHA256SUMS",
            hint="Remove it, or build the fixture anew.",
        )


def companions(folder: Path, stated: Stated, there: Release) -> Iterator[Finding]:
    """Yield what belongs beside the manifest and is missing; older manifests stood alone."""
    if stated.manifest_version < 3:
        return
    found = {file.path for file in there.files}
    for name in sorted(COMPANIONS):
        if name not in found and not (folder / name).is_file():
            yield Finding(
                kind="missing",
                message="A file that is made from the manifest is missing.",
                file=name,
                hint="Fetch the folder again, or build the fixture anew.",
            )


def against_sums(folder: Path, there: Release) -> Iterator[Finding]:
    """Yield what differs from SHA256SUMS, where there is one."""
    path = folder / SUMS
    if not path.exists():
        return
    if path.stat().st_size > _MOST_SUMS:
        yield Finding(kind="sums", message="The file is too large for sums.", file=SUMS)
        return
    text = path.read_bytes()
    now = dict(_lines(there.sums()))
    stated = dict(_lines(text))
    # What lies there and nobody declares is told of elsewhere.
    wrong = [name for name, sha256 in stated.items() if now.get(name) != sha256]
    wrong += ({MANIFEST} | COMPANIONS) & (now.keys() - stated.keys())
    if not wrong and {SUMS, *stated} == {SUMS, *now} and text != there.sums():
        yield Finding(
            kind="sums",
            message="The sums are right, and not written as they were.",
            file=SUMS,
            expected=f"{len(there.sums())} bytes, a line for each file by its path",
            found=f"{len(text)} bytes",
        )
    for name in sorted(wrong):
        yield Finding(
            kind="sums",
            message="The sum is not that of the file.",
            file=name,
            expected=f"sha256 {stated[name]}" if name in stated else "a line in SHA256SUMS",
            found=f"sha256 {now[name]}" if name in now else "no such file",
        )


def _lines(sums: bytes) -> Iterator[tuple[str, str]]:
    for line in sums.decode(errors="replace").splitlines():
        sha256, _, name = line.partition("  ")
        yield printable(name[:240]), printable(sha256[:64])


def against_lock(locked: Locked, there: Release) -> Iterator[Finding]:
    """Yield what differs from the lock; what it does not hold is left to the manifest."""
    found = {file.path: file for file in there.files}
    for path, file in sorted(locked.files.items()):
        now = found.get(path)
        if now is None or (now.size, now.sha256) != (file.size, file.sha256):
            yield Finding(
                kind="lock",
                message="The file is not the one that is locked.",
                file=path,
                expected=f"{file.size} bytes, sha256 {file.sha256}",
                found="none" if now is None else f"{now.size} bytes, sha256 {now.sha256}",
            )


def against_evidence(folder: Path, stated: Stated) -> Iterator[Finding]:
    """Yield evidence that is of no case."""
    evidence = folder / EVIDENCE
    if not evidence.is_dir():
        return
    for path in sorted(evidence.iterdir()):
        if path.name not in stated.tensors and path.name != CARD:
            yield Finding(
                kind="undeclared",
                message="Evidence of a case that the manifest does not have.",
                file=f"{EVIDENCE}/{path.name}",
            )


def _taken_for(sha256: str, declared: Mapping[str, object], path: str) -> str:
    others = [
        name
        for name, file in declared.items()
        if name != path and getattr(file, "sha256", "") == sha256
    ]
    return f"It holds the bytes of {others[0]}." if others else ""


def _line(folder: Path, path: str) -> int | None:
    """Return the line of the manifest that declares a file."""
    text = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        if f'"path": "{path}"' in line:
            return number
    return None
