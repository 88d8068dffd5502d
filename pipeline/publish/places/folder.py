"""Releases in a folder, which any web server can serve statically."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from pipeline.cache.atomic import atomic_write, write_bytes
from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.publish.places.destination import TextProgress, publish_error, version_conflict
from pipeline.publish.places.indexed import expected_file
from pipeline.publish.release.release import MOST_BYTES as MOST_RELEASE_BYTES
from pipeline.publish.release.release import SUMS, Release, ReleasedFile
from pipeline.publish.release.release import decode as decode_release
from pipeline.publish.release.release_index import (
    INDEX,
    MOST_BYTES,
    RELEASE,
    decode,
    encode,
    index_of,
    is_listed,
)
from pipeline.scratch import remove
from pipeline.source.download_cache import DownloadCache


class Folder:
    """``index.json``, and ``<name>/<version>/`` with the files, release.json and SHA256SUMS."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def describe(self) -> str:
        """Return the path."""
        return str(self._root)

    def digest_of(self, name: str, version: str) -> str | None:
        """Return the root digest of a version in the index, or None; raises PipelineError."""
        release = self._read(self._root / name / version / RELEASE)
        path = self._root / INDEX
        if release is None or not is_listed(release, read_file(path, MOST_BYTES), str(path)):
            return None
        return release.digest

    def publish(self, release: Release, folder: Path, progress: TextProgress) -> int:
        """Copy the files to a temporary folder, rename it, and rewrite the index."""
        from filelock import FileLock

        target = self._root / release.name / release.version
        # Named by content, so that only the same release resumes an interrupted run.
        part = target.with_name(f".{release.version}.{release.digest[7:23]}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._root / ".publishing.lock"):
                there = self._read(target / RELEASE)
                if there and there.digest != release.digest:
                    raise version_conflict(release, there.digest, self.describe())
                # Of killed runs: others wait for the lock.
                for left in self._root.glob("[!.]*/.*.part"):
                    if left != part:
                        remove(left)
                moved = 0
                if there is None:
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
        data = read_file(path, MOST_BYTES)
        mirrors = () if data is None else decode(data, str(path)).mirrors
        write_bytes(path, encode(index_of([each for each in found if each], mirrors)))

    def _read(self, path: Path) -> Release | None:
        try:
            data = read_file(path, MOST_RELEASE_BYTES)
        except OSError as error:
            raise publish_error(str(path), error.strerror or str(error)) from None
        return None if data is None else decode_release(data, str(path))


class FolderReader:
    """A local folder."""

    def __init__(self, root: Path, downloads: DownloadCache) -> None:
        self._root = root
        self._downloads = downloads

    def describe(self) -> str:
        """Return the path."""
        return str(self._root)

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the bytes of a small file, or None; raises PipelineError."""
        return read_file(self._root / path, limit)

    def obtain(self, path: str, digest: Digest) -> Path:
        """Return a verified copy of the file in the cache; raises PipelineError."""
        expected = expected_file(digest)
        source = self._root / path
        if kept := self._downloads.get(expected):
            return kept
        target = self._downloads.folder / expected.name
        if not source.is_file():
            raise PipelineError(
                Code.SOURCE_UNREACHABLE, "A file of the release is missing.", where=str(source)
            )
        with atomic_write(target) as part, source.open("rb") as stream:
            expected.write(iter(lambda: stream.read(1 << 20), b""), part, str(source))
        return target


def read_file(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a small file, or None if there is none.

    Raises OSError, and PipelineError (SOURCE_MISMATCH) for a file that is too large or no file.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            regular = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            data = stream.read(limit + 1) if regular else b""
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        regular, data = False, b""
    if not regular or len(data) > limit:
        raise PipelineError(
            Code.SOURCE_MISMATCH,
            "The file is too large." if regular else "Not a regular file.",
            where=str(path),
            expected=f"a file of at most {limit} bytes",
        )
    return data


def _without_waiting(name: str, flags: int) -> int:
    # Opening a pipe waits for its writer.
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


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
