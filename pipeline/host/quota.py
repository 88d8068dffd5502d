"""A limit on what a guest writes: a thread that interrupts it, once its files are too large."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType


class Quota:
    """Calls ``interrupt`` when the files under ``places`` have grown by more than ``limit`` bytes.

    WASI has no quota of its own, so the sizes are looked at ten times a second: a guest may write
    somewhat more than the limit, never for long. Without a limit nothing is watched.
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

    def __enter__(self) -> Quota:
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
        """Look at the sizes now, and tell whether they are too large."""
        if self._limit is not None:
            self.exceeded |= sum(map(_size, self._places)) - self._before > self._limit
        return self.exceeded

    def _watch(self) -> None:
        while not self._left.wait(self._AGAIN_SECONDS):
            if self.check():
                self._interrupt()


def _size(place: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; links are not followed."""
    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    total = 0
    for folder, _, files in os.walk(place):
        for name in files:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue  # It went meanwhile.
    return total
