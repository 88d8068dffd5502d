"""Temporary folders and files of a build, in the cache, where a rename makes them targets."""

from __future__ import annotations

import errno
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.cache.atomic import leftovers, replace
from pipeline.cache.confined_path import is_below
from pipeline.cache.objects import copy
from pipeline.cache.owned_folder import NotOwnedError, is_owned
from pipeline.scratch import RunFolder, part_path


class Temporary:
    """The folder of a run in ``folder``, until it is closed; see RunFolder."""

    def __init__(self, folder: Path, claim: Callable[[], object]) -> None:
        """``claim`` makes the folder above, with our marker; it raises OSError."""
        self._claim = claim
        self._claimed = False
        self._guard = threading.Lock()
        self._run = RunFolder(folder)
        self._closed = False

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield an empty folder, removed at the end of the block; raises OSError."""
        folder = self._own() / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def atomic_write(self, target: Path) -> Iterator[Path]:
        """Yield a path to write; rename it to ``target`` on success, remove it on failure.

        Raises OSError; ``target`` is then unchanged.
        """
        part = self._own() / uuid.uuid4().hex
        try:
            yield part
            self.place(part, target)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def place(self, part: Path, target: Path) -> None:
        """Move a temporary file to ``target`` atomically, on any file system."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace(part, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._place_beside(part, target)

    def sweep(self) -> float:
        """Remove the leftovers of killed runs.

        Returns the start of the oldest live run as Unix time.
        """
        return self._run.sweep() if self._is_ours() else time.time()

    def close(self) -> None:
        """Remove this run's folder, even if interrupted steps still use it."""
        with self._guard:
            self._closed = True
            self._run.close()
        self.sweep()

    def _place_beside(self, part: Path, target: Path) -> None:
        for left in leftovers(target):
            token = left.name.split(".")[-2]
            if token != self._run.token and self._run.is_dead(token):
                left.unlink(missing_ok=True)
        beside = part_path(target, self._run.token)
        try:
            copy(part, beside)
            replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)

    def _own(self) -> Path:
        with self._guard:
            if self._closed:
                raise FileNotFoundError(errno.ENOENT, "The run has ended", str(self._run.path))
            if not self._claimed:
                self._claim()
                if not self._is_ours():
                    raise NotOwnedError(errno.EPERM, "This is behind a link", str(self._run.place))
                self._claimed = True
            self._run.open()
        return self._run.path

    def _is_ours(self) -> bool:
        """Return whether the folder is in one with our marker, with no link on the way."""
        owned = self._run.place.parent
        return is_owned(owned) and is_below(owned, self._run.path)
