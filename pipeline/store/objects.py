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
        if place.exists() and place.stat().st_size == digest.size:
            _touch(place)
            return
        with self._aside(place) as part:
            copy(source, part)

    def receive(self, digest: Digest) -> AbstractContextManager[Path]:
        """Yield a path to write the object to; it is kept when the block ends well."""
        return self._aside(self.path(digest))

    def fetch(self, digest: Digest, target: Path) -> bool:
        """Write the object to ``target``; a missing or corrupt one is dropped and gives false."""
        place = self.path(digest)
        if not place.exists():
            return False
        copy(place, target)
        if Digest.of_file(target) == digest:
            _touch(place)
            return True
        with suppress(OSError):
            place.unlink()
        return False


def _touch(place: Path) -> None:
    # When it was last used: file systems seldom keep that themselves.
    with suppress(OSError):
        os.utime(place)


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
