"""Temporary folders and files of a run, with a lock that tells whether the run still lives.

What a killed run left is removed by the next run of any command. Folders are in ``wasi-nn-<user>``
in the system's temporary folder. A file or folder that becomes a target by a rename is beside that
target, and noted in the run's folder.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import Code, PipelineError

if TYPE_CHECKING:
    from filelock import BaseFileLock

# The start of a run in nanoseconds, and a unique id. Other names are not ours, and might lead
# elsewhere.
_TOKEN = re.compile(r"[0-9]{1,20}-[0-9a-f]{32}")
_NOTES = "parts"
_ATTEMPTS = 20
# A file's name has at most 255 bytes; these are at most 160.
PART_NAME_LENGTH = 40


class RunFolder:
    """The folder of this run in ``place``, with a lock that is held while the run is alive.

    The operating system releases a lock when its process ends, so this also works for a folder
    shared by containers and machines, where process ids mean nothing. With ``notes``, the next run
    also removes the files that this run noted.
    """

    def __init__(self, place: Path, *, notes: bool = False) -> None:
        self.place = place
        self.token = _new_token()
        self._notes = notes
        self._lock: BaseFileLock | None = None

    @property
    def path(self) -> Path:
        """The folder."""
        return self.place / self.token

    def open(self) -> None:
        """Create the folder if it is not there; the first time, remove what killed runs left."""
        if self._lock is None:
            self.sweep()
            for _ in range(_ATTEMPTS):
                # Lock first: a folder without a held lock counts as a dead run's.
                self._lock = self._locked()
                if self._lock is not None:
                    break
                self.token = _new_token()
            else:
                raise OSError(errno.EAGAIN, "no lock can be acquired", str(self.place))
        self.path.mkdir(exist_ok=True)

    def _locked(self) -> BaseFileLock | None:
        """Acquire the lock, unless another run swept it between its creation and now."""
        from filelock import Timeout

        lock = self._lock_of(self.token)
        try:
            self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except FileExistsError:
            # Path.mkdir raises it too if another run removes the place before it looks there.
            if os.path.lexists(self.place) and not self.place.is_dir():
                raise
            return None
        except (FileNotFoundError, Timeout):
            # Another run has ended and removed the place, or looks whether this one is dead.
            return None
        if self._place_of_lock(self.token).exists():
            return lock
        lock.release()
        return None

    def close(self) -> None:
        """Remove the folder, even if something still uses it, and release the lock."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            with suppress(OSError):
                self._place_of_lock(self.token).unlink()
            self._lock.release()
            self._lock = None

    def note(self, path: Path) -> None:
        """Note a file or folder to be removed if this run is killed; its name has the token."""
        with (self.path / _NOTES).open("ab") as stream:
            stream.write(os.fsencode(path) + b"\0")

    def sweep(self) -> float:
        """Remove what killed runs left; return the start of the oldest live run as Unix time."""
        oldest = time.time()
        try:
            tokens = {entry.name.removesuffix(".lock") for entry in self.place.iterdir()}
        except OSError:
            return oldest
        for token in filter(_TOKEN.fullmatch, tokens - {self.token}):
            dead = False
            with suppress(OSError):
                dead = self.is_dead(token)
            if not dead:
                oldest = min(oldest, _start_time(token))
        return oldest

    def is_dead(self, token: str) -> bool:
        """Return whether a run has ended; what it left is then removed."""
        from filelock import Timeout

        if not _TOKEN.fullmatch(token):
            return False
        lock = self._lock_of(token)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            if self._notes:
                for part in _noted(self.place / token / _NOTES, token):
                    remove(part)
            shutil.rmtree(self.place / token, ignore_errors=True)
            # A worker that is still ending may write into it; then the next run removes it.
            if not (self.place / token).exists():
                self._place_of_lock(token).unlink(missing_ok=True)
        finally:
            lock.release()
        return True

    def _lock_of(self, token: str) -> BaseFileLock:
        from filelock import FileLock

        # Acquired in one thread, released in another.
        return FileLock(self._place_of_lock(token), thread_local=False)

    def _place_of_lock(self, token: str) -> Path:
        return self.place / f"{token}.lock"


def _new_token() -> str:
    return f"{time.time_ns()}-{os.urandom(16).hex()}"


class _Scratch:
    """The run folder of this process, which is there while somebody uses it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._process = 0
        self._users = 0
        self._run: RunFolder | None = None

    def enter(self) -> RunFolder:
        """Return the folder; raises OSError."""
        with self._guard:
            place = _place()
            # A fork has its own.
            if self._run is None or self._process != os.getpid():
                self._process, self._users = os.getpid(), 0
                self._run = RunFolder(place, notes=True)
            self._run.open()
            self._users += 1
            return self._run

    def leave(self, run: RunFolder) -> None:
        """Remove the folder if nobody uses it any more."""
        with self._guard:
            if run is not self._run:
                return
            self._users -= 1
            if self._users == 0:
                run.close()
                self._run = None
                with suppress(OSError):
                    run.place.rmdir()


_scratch = _Scratch()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield an empty folder, removed at the end of the block; raises PipelineError (STORAGE)."""
    run = None
    try:
        run = _scratch.enter()
        folder = run.path / os.urandom(4).hex()
        folder.mkdir()
    except OSError as error:
        if run is not None:
            _scratch.leave(run)
        raise PipelineError(
            Code.STORAGE,
            "A temporary folder cannot be created.",
            where=str(error.filename or tempfile.gettempdir()),
            found=error.strerror or str(error),
            hint="Free space, or name another folder with TMPDIR.",
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _scratch.leave(run)


@contextmanager
def part_beside(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` for what will be renamed to it; at the end it is removed.

    Raises OSError if the note of it cannot be written.
    """
    run = _scratch.enter()
    part = part_path(target, run.token)
    try:
        run.note(part.absolute())
        yield part
    finally:
        remove(part)
        _scratch.leave(run)


def part_path(target: Path, token: str) -> Path:
    """Return a path for a part of ``target``, of a run's token."""
    return target.with_name(f".{target.name[:PART_NAME_LENGTH]}.{os.urandom(4).hex()}.{token}.part")


def sweep_scratch() -> None:
    """Remove what killed runs of this user left, in temporary folders and beside targets."""
    with suppress(OSError):
        place = _place()
        if place.is_dir():
            RunFolder(place, notes=True).sweep()
            place.rmdir()


def remove(path: Path) -> None:
    """Remove a file, a link or a folder if it is there, as far as that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _place() -> Path:
    """Return the user's place for folders of runs; raises OSError if it is another user's."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    place = Path(tempfile.gettempdir(), f"wasi-nn-{user}")
    with suppress(FileNotFoundError):
        status = place.lstat()
        if not stat.S_ISDIR(status.st_mode) or (user != "user" and status.st_uid != user):
            raise PermissionError(errno.EPERM, "Not a folder of this user", str(place))
    return place


def _noted(place: Path, token: str) -> Iterator[Path]:
    """Yield the paths that a run noted, of those that have its token."""
    with suppress(OSError):
        for text in place.read_bytes().split(b"\0"):
            path = Path(os.fsdecode(text))
            if path.is_absolute() and path.name.endswith(f".{token}.part"):
                yield path


def _start_time(token: str) -> float:
    return int(token.partition("-")[0]) / 1e9
