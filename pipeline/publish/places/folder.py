"""Releases in a folder, which any web server can serve statically."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.cache.atomic import write_bytes
from pipeline.cache.digest import Digest
from pipeline.errors import PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.release.release import SUMS, Release, ReleasedFile
from pipeline.publish.release.release import decode as decode_release
from pipeline.publish.release.release_index import (
    INDEX,
    MOST_BYTES,
    RELEASE,
    decode,
    encode,
    index_of,
)


class Folder:
    """``index.json``, and ``<name>/<version>/`` with the files, release.json and SHA256SUMS."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self) -> str:
        """Return the path."""
        return str(self._root)

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a published version, or None; raises PipelineError."""
        release = self._read(self._root / name / version / RELEASE)
        return None if release is None else release.digest

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Copy the files to a temporary folder, rename it, and rewrite the index."""
        from filelock import FileLock

        target = self._root / release.name / release.version
        # Named by content, so that only the same release resumes an interrupted run.
        part = target.with_name(f".{release.version}.{release.digest[7:23]}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._root / ".publishing.lock"):
                root = self.digest_of(release.name, release.version)
                if root not in (None, release.digest):
                    raise version_conflict(release, str(root), self.describe())
                moved = 0
                if root is None:
                    for file in release.all_files:
                        moved += _bring(folder, part, file, progress)
                    (part / SUMS).write_bytes(release.sums())
                    (part / RELEASE).write_bytes(release.encode())
                    part.rename(target)
                self._write_index()
        except OSError as error:
            raise publish_error(
                str(error.filename or target), error.strerror or str(error)
            ) from None
        return moved

    def _write_index(self) -> None:
        found = [self._read(path) for path in sorted(self._root.glob(f"[!.]*/[!.]*/{RELEASE}"))]
        path = self._root / INDEX
        mirrors: tuple[str, ...] = ()
        if path.exists():
            mirrors = decode(path.read_bytes()[: MOST_BYTES + 1], str(path)).mirrors
        write_bytes(path, encode(index_of([each for each in found if each], mirrors)))

    def _read(self, path: Path) -> Release | None:
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise publish_error(str(path), error.strerror or str(error)) from None
        return decode_release(data, str(path))


def _bring(folder: Path, part: Path, file: ReleasedFile, progress: TextProgress) -> int:
    target = part / file.path
    expected = Digest(file.sha256, file.size)
    if target.is_file() and Digest.of_file(target) == expected:
        return 0
    progress(f"copying {file.path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / file.path, target)
    if Digest.of_file(target) != expected:
        raise changed(folder / file.path)
    return file.size


def changed(path: Path) -> PipelineError:
    """Return the error for a file that changed since it was hashed."""
    return publish_error(str(path), "the file changed during publishing")
