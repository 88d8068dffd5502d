"""Temporary folders of runs, with removal of what killed runs left behind."""

from __future__ import annotations

import errno
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache.atomic import leftovers, replace
from pipeline.cache.objects import copy

if TYPE_CHECKING:
    from filelock import BaseFileLock


class Temporary:
    """A temporary folder per run, with a lock that is held while the run is alive.

    The operating system releases a lock when its process ends, so this also works for a cache
    shared by containers and machines, where process ids mean nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        # Start time of the run, then a unique id.
        self._token = f"{time.time_ns()}-{uuid.uuid4().hex}"
        self._lock: BaseFileLock | None = None
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
        oldest = time.time()
        try:
            tokens = {entry.name.removesuffix(".lock") for entry in self._folder.iterdir()}
        except OSError:
            return oldest
        for token in tokens - {self._token}:
            dead = False
            with suppress(OSError):
                dead = self._is_dead(token)
            if not dead:
                oldest = min(oldest, _start_time(token))
        return oldest

    def close(self) -> None:
        """Remove this run's folder, even if interrupted steps still use it."""
        with self._guard:
            self._closed = True
            if self._lock is not None:
                shutil.rmtree(self._folder / self._token, ignore_errors=True)
                with suppress(OSError):
                    self._place_of_lock(self._token).unlink()
                self._lock.release()
        self.sweep()

    def _place_beside(self, part: Path, target: Path) -> None:
        for left in leftovers(target):
            token = left.name.split(".")[-2]
            if token != self._token and self._is_dead(token):
                left.unlink(missing_ok=True)
        beside = target.with_name(f".{target.name}.{self._token}.part")
        try:
            copy(part, beside)
            replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)

    def _own(self) -> Path:
        own = self._folder / self._token
        with self._guard:
            if self._closed:
                raise FileNotFoundError(errno.ENOENT, "The run has ended", str(own))
            if self._lock is None:
                self.sweep()
                self._folder.mkdir(parents=True, exist_ok=True)
                # Lock first: a folder without a held lock counts as a dead run's.
                lock = self._lock_of(self._token)
                lock.acquire(timeout=0)
                self._lock = lock
            own.mkdir(exist_ok=True)
        return own

    def _is_dead(self, token: str) -> bool:
        """Return whether a run has ended; its leftovers are then removed."""
        from filelock import Timeout

        lock = self._lock_of(token)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            shutil.rmtree(self._folder / token, ignore_errors=True)
            # A worker that is still ending may write into it; then the next run removes it.
            if not (self._folder / token).exists():
                self._place_of_lock(token).unlink(missing_ok=True)
        finally:
            lock.release()
        return True

    def _lock_of(self, token: str) -> BaseFileLock:
        from filelock import FileLock

        # Acquired in one thread, released in another.
        return FileLock(self._place_of_lock(token), thread_local=False)

    def _place_of_lock(self, token: str) -> Path:
        return self._folder / f"{token}.lock"


def _start_time(token: str) -> float:
    nanoseconds = token.partition("-")[0]
    return int(nanoseconds) / 1e9 if nanoseconds.isdecimal() else 0.0
