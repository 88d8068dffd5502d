"""A disk limit: a thread that interrupts a guest whose files grow too large."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# What a file or folder costs besides its bytes, so that empty ones have a limit too.
ENTRY_BYTES = 4096
_DESCRIPTORS = Path("/dev/fd")


class DiskLimit:
    """Calls ``interrupt`` if the files under ``places`` grow by more than ``limit`` bytes.

    Each file and folder counts ENTRY_BYTES besides its size, and files that were removed while they
    are open count too. WASI has no quotas, so this is polled, ten times a second in small folders:
    a guest may briefly exceed the limit. None is no limit.
    """

    _AGAIN_SECONDS = 0.1
    # At most this part of the time is spent on looking.
    _SHARE = 0.1

    def __init__(
        self, places: Sequence[Path], limit: int | None, interrupt: Callable[[], None]
    ) -> None:
        self._places = places
        self._limit = limit if places else None
        self._interrupt = interrupt
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk limit", daemon=True)
        self._before = 0
        self._removed: frozenset[tuple[int, int]] = frozenset()
        self.exceeded = False

    def __enter__(self) -> DiskLimit:
        if self._limit is not None:
            # Files that this process had open and removed before.
            self._removed = frozenset(_removed_files(self._devices()))
            self._before = self._used()
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._limit is not None:
            self._left.set()
            self._thread.join()

    def check(self) -> bool:
        """Check the sizes now; return whether they exceed the limit."""
        if self._limit is not None:
            self.exceeded |= self._used() - self._before > self._limit
        return self.exceeded

    def _watch(self) -> None:
        wait = self._AGAIN_SECONDS
        while not self._left.wait(wait):
            started = time.monotonic()
            if self.check():
                self._interrupt()
            wait = max(self._AGAIN_SECONDS, (time.monotonic() - started) / self._SHARE)

    def _used(self) -> int:
        removed = _removed_files(self._devices())
        return sum(map(_size, self._places)) + sum(
            size for file, size in removed.items() if file not in self._removed
        )

    def _devices(self) -> set[int]:
        found = set()
        for place in self._places:
            with suppress(OSError):
                found.add(place.stat().st_dev)
        return found


def _size(place: Path) -> int:
    """Return what a file takes, or all that is below a folder, without following links."""
    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    total = 0
    for folder, folders, files in os.walk(place):
        total += ENTRY_BYTES * len(folders)
        for name in files:
            with suppress(OSError):  # Removed in the meantime.
                total += ENTRY_BYTES + Path(folder, name).lstat().st_size
    return total


def _removed_files(devices: Collection[int]) -> dict[tuple[int, int], int]:
    """Return the sizes of this process's open files that have no name, by device and inode."""
    return {
        (found.st_dev, found.st_ino): found.st_size
        for found in _descriptors()
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and found.st_dev in devices
    }


def _descriptors() -> Iterator[os.stat_result]:
    try:
        numbers = [int(each.name) for each in _DESCRIPTORS.iterdir()]
    except OSError:  # Windows, which does not remove open files
        return
    for number in numbers:
        with suppress(OSError):  # Closed in the meantime.
            yield os.fstat(number)
