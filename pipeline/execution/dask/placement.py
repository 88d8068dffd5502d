"""Assign steps to cluster workers in advance, so that files are sent before a thread is free."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_LOOK_SECONDS = 2.0


class WorkerSlot:
    """A reserved thread of ``worker``, or of none."""

    def __init__(self, worker: str | None, end: Callable[[str | None], None]) -> None:
        self.worker = worker
        self._end = end
        self._over = False

    def end(self) -> None:
        """Release the thread; idempotent."""
        if not self._over:
            self._over = True
            self._end(self.worker)


class WorkerSlots:
    """Allocates the threads of workers; ``threads`` returns the current number of each worker.

    A step first chooses a worker, to which its files are sent while other steps run there, then
    waits for a thread. If another worker becomes idle meanwhile, the step runs there instead.
    """

    def __init__(self, threads: Callable[[], Mapping[str, int]]) -> None:
        self._threads = threads
        self._changed = threading.Condition()
        self._waiting: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._closed = False

    def choose(self) -> str | None:
        """Return the least loaded worker and queue the step there; None without workers."""
        threads = self._threads()
        with self._changed:
            if not threads:
                return None
            chosen = min(threads, key=lambda each: (self._load(each) / threads[each], each))
            self._waiting[chosen] += 1
            return chosen

    @contextmanager
    def taken(self, chosen: str | None) -> Iterator[WorkerSlot]:
        """Wait for a thread, preferably of ``chosen``; released at the end of the block.

        Does not wait after ``close``.
        """
        slot = WorkerSlot(self._begun(chosen), self._end)
        try:
            yield slot
        finally:
            slot.end()

    def close(self) -> None:
        """Wake all waiting steps."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _begun(self, chosen: str | None) -> str | None:
        while True:
            threads = self._threads()
            with self._changed:
                free = [each for each in threads if self._running[each] < threads[each]]
                idle = [each for each in free if not self._waiting[each]]
                taken = chosen if chosen in free else next(iter(idle), None)
                if taken is not None or not threads or self._closed:
                    if chosen is not None:
                        self._waiting[chosen] -= 1
                    if taken is not None:
                        self._running[taken] += 1
                    return taken
                self._changed.wait(_LOOK_SECONDS)

    def _end(self, taken: str | None) -> None:
        with self._changed:
            if taken is not None:
                self._running[taken] -= 1
            self._changed.notify_all()

    def _load(self, worker: str) -> int:
        return self._waiting[worker] + self._running[worker]
