"""The content-addressed store: each output stored once under its SHA-256."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from pipeline.cache.atomic import AtomicWriter, atomic_write
from pipeline.cache.digest import Digest


class Objects:
    """Files by digest, in ``<folder>/<first two digits>/<sha256>``."""

    def __init__(self, folder: Path, atomic_write: AtomicWriter = atomic_write) -> None:
        self._folder = folder
        self._atomic_write = atomic_write

    def path(self, digest: Digest) -> Path:
        """Return the path of the object, whether or not it exists."""
        return self._folder / digest.sha256[:2] / digest.sha256

    def put(self, source: Path, digest: Digest) -> None:
        """Store a copy of ``source``, which has this digest; raises OSError."""
        place = self.path(digest)
        if touch(place) and _size(place) == digest.size:
            return
        with self._atomic_write(place) as part:
            copy(source, part)

    def receive(self, digest: Digest) -> AbstractContextManager[Path]:
        """Yield a path to write the object to; it is stored if the block succeeds."""
        return self._atomic_write(self.path(digest))

    def fetch(self, digest: Digest, target: Path) -> bool:
        """Copy the object to ``target``; False if it is missing or corrupt, then it is removed."""
        place = self.path(digest)
        # Touch first: a running collection keeps files used since it listed them.
        if not touch(place):
            return False
        try:
            copy(place, target)
        except FileNotFoundError:
            if place.exists():
                raise
            return False
        if Digest.of_file(target) == digest:
            return True
        with suppress(OSError):
            place.unlink()
        return False


def touch(place: Path) -> bool:
    """Set a file's mtime to now, as its time of last use; False if there is none."""
    try:
        os.utime(place)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return place.exists()  # Owned by another user, in a shared cache.
    return True


def _size(place: Path) -> int | None:
    try:
        return place.stat().st_size
    except FileNotFoundError:
        return None


def copy(source: Path, target: Path) -> None:
    """Copy a file's bytes, sharing its blocks where the file system can."""
    if not hasattr(os, "copy_file_range"):
        shutil.copyfile(source, target)
        return
    try:
        with source.open("rb") as reader, target.open("wb") as writer:
            while os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
                pass
    except OSError:
        # Not supported across some mounts; a plain copy raises the actual error, if any.
        shutil.copyfile(source, target)
