"""A disk limit: a thread that interrupts a guest whose files grow too large."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType


class DiskLimit:
    """Calls ``interrupt`` if the files under ``places`` grow by more than ``limit`` bytes.

    WASI has no quotas, so the sizes are polled ten times a second: a guest may briefly exceed the
    limit. None is no limit.
    """

    _AGAIN_SECONDS = 0.1

    def __init__(
        self, places: Sequence[Path], limit: int | None, interrupt: Callable[[], None]
    ) -> None:
        self._places = places
        self._limit = limit
        self._interrupt = interrupt
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="quota", daemon=True)
        self._before = 0
        self.exceeded = False

    def __enter__(self) -> DiskLimit:
        if self._limit is not None:
            self._before = sum(map(_size, self._places))
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
            self.exceeded |= sum(map(_size, self._places)) - self._before > self._limit
        return self.exceeded

    def _watch(self) -> None:
        while not self._left.wait(self._AGAIN_SECONDS):
            if self.check():
                self._interrupt()


def _size(place: Path) -> int:
    """Return the size of a file, or of all files below a folder, without following links."""
    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    total = 0
    for folder, _, files in os.walk(place):
        for name in files:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue  # Removed in the meantime.
    return total
