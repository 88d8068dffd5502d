"""The content-addressed store: every output once, under its own SHA-256."""

from __future__ import annotations

import os
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from pipeline.store.atomic import Aside, aside
from pipeline.store.digest import Digest


class Objects:
    """Files by digest, in ``<folder>/<first two digits>/<sha256>``."""

    def __init__(self, folder: Path, aside: Aside = aside) -> None:
        self._folder = folder
        self._aside = aside

    def path(self, digest: Digest) -> Path:
        """Return where the object lies, whether or not it is there."""
        return self._folder / digest.sha256[:2] / digest.sha256

    def put(self, source: Path, digest: Digest) -> None:
        """Keep a copy of ``source``, whose digest was just taken; raises OSError."""
        place = self.path(digest)
        if touch(place) and _size(place) == digest.size:
            return
        with self._aside(place) as part:
            copy(source, part)

    def receive(self, digest: Digest) -> AbstractContextManager[Path]:
        """Yield a path to write the object to; it is kept when the block ends well."""
        return self._aside(self.path(digest))

    def fetch(self, digest: Digest, target: Path) -> bool:
        """Write the object to ``target``; a missing or corrupt one is dropped and gives false."""
        place = self.path(digest)
        # First of all: a collection spares what was used since it looked.
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
    """Note that a file was used, which file systems seldom do; false if there is none."""
    try:
        os.utime(place)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return place.exists()  # Another user's, in a shared cache.
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
        # Some file systems refuse it across mounts; then a plain copy tells the real error.
        shutil.copyfile(source, target)
