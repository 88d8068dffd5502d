"""Reproducible archives of a fixture: its files, and its evidence."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.cache.atomic import atomic_write, write_bytes
from pipeline.cache.digest import Digest
from pipeline.publish.release.release import SUMS, Release, ReleasedFile, sorted_files

_SCRIPTS = (".sh",)


def write_bundle(release: Release, folder: Path, target: Path) -> list[Path]:
    """Write ``<name>.tar.gz``, ``<name>.evidence.tar.gz`` and their sums; return the archives.

    They are the same on every machine: owners and times are 0, entries are sorted by name, and
    gzip's header has no time. Raises OSError.
    """
    files = [*release.files]
    sums = folder / SUMS
    if sums.is_file():
        digest = Digest.of_file(sums)
        files.append(ReleasedFile(SUMS, digest.size, digest.sha256))
    made = [_archive(target / f"{release.name}.tar.gz", release.name, folder, files)]
    if release.evidence:
        evidence = target / f"{release.name}.evidence.tar.gz"
        made.append(_archive(evidence, release.name, folder, release.evidence))
    lines = "".join(f"{Digest.of_file(path).sha256}  {path.name}\n" for path in made)
    write_bytes(target / f"{release.name}.{SUMS}", lines.encode())
    return made


def _archive(target: Path, name: str, folder: Path, files: Sequence[ReleasedFile]) -> Path:
    with (
        atomic_write(target) as part,
        part.open("wb") as stream,
        gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in sorted_files(files):
            entry = tarfile.TarInfo(f"{name}/{file.path}")
            entry.size = file.size
            entry.mode = 0o755 if file.path.endswith(_SCRIPTS) else 0o644
            with (folder / file.path).open("rb") as content:
                archive.addfile(entry, content)
    return target
