"""A time limit: a thread that interrupts work that exceeds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType


class Deadline:
    """Calls ``interrupt`` if its ``with`` block takes longer than ``seconds``.

    It repeats that until the block is left, since interrupted work may start something else.
    """

    _AGAIN_SECONDS = 0.05

    def __init__(self, seconds: float, interrupt: Callable[[], None]) -> None:
        self._seconds = seconds
        self._interrupt = interrupt
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
        self.passed = False

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join()

    def _watch(self) -> None:
        wait = self._seconds
        while not self._left.wait(wait):
            self.passed = True
            self._interrupt()
            wait = self._AGAIN_SECONDS
