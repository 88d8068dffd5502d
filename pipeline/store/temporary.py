"""Where files are made before they take their place; what a killed run left there is removed."""

from __future__ import annotations

import errno
import glob
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store.atomic import replace
from pipeline.store.objects import copy

if TYPE_CHECKING:
    from filelock import BaseFileLock


class Temporary:
    """A folder of folders, one for each run, whose lock tells that its run is still alive.

    A lock goes with its process, however that ends. So this holds also where a cache is shared
    by containers and machines, which know nothing of each other's process ids.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        # When the run began, then what makes it the only one of that name.
        self._token = f"{time.time_ns()}-{uuid.uuid4().hex}"
        self._lock: BaseFileLock | None = None
        self._closed = False

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield an empty folder that goes when the block ends; raises OSError."""
        folder = self._own() / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def aside(self, target: Path) -> Iterator[Path]:
        """Yield a path to write; on success it becomes ``target``, on any failure it goes.

        Raises OSError; ``target`` then still holds what it held before.
        """
        part = self._own() / uuid.uuid4().hex
        try:
            yield part
            self.place(part, target)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def place(self, part: Path, target: Path) -> None:
        """Let a file made here become ``target``, on whatever file system that is."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            replace(part, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._place_beside(part, target)

    def sweep(self) -> float:
        """Remove what runs that were killed have left.

        Returns when the oldest run began that is still alive, in seconds since 1970.
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
                oldest = min(oldest, _begun(token))
        return oldest

    def close(self) -> None:
        """Remove this run's folder, also from under steps that were interrupted."""
        with self._guard:
            self._closed = True
            if self._lock is not None:
                shutil.rmtree(self._folder / self._token, ignore_errors=True)
                with suppress(OSError):
                    self._place_of_lock(self._token).unlink()
                self._lock.release()
        self.sweep()

    def _place_beside(self, part: Path, target: Path) -> None:
        for left in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
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
                # The lock comes first: a folder without one is taken for a dead run's.
                lock = self._lock_of(self._token)
                lock.acquire(timeout=0)
                self._lock = lock
            own.mkdir(exist_ok=True)
        return own

    def _is_dead(self, token: str) -> bool:
        """Tell whether a run has ended; what it left here is then removed."""
        from filelock import Timeout

        lock = self._lock_of(token)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            shutil.rmtree(self._folder / token, ignore_errors=True)
            # A worker that has not noticed its end may still write: then the next run removes it.
            if not (self._folder / token).exists():
                self._place_of_lock(token).unlink(missing_ok=True)
        finally:
            lock.release()
        return True

    def _lock_of(self, token: str) -> BaseFileLock:
        from filelock import FileLock

        # One thread takes it, another closes the run.
        return FileLock(self._place_of_lock(token), thread_local=False)

    def _place_of_lock(self, token: str) -> Path:
        return self._folder / f"{token}.lock"


def _begun(token: str) -> float:
    nanoseconds = token.partition("-")[0]
    return int(nanoseconds) / 1e9 if nanoseconds.isdecimal() else 0.0
