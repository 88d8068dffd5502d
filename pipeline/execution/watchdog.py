"""A watchdog that kills a worker stuck in an uninterruptible call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Exit status for the pool.
WATCHDOG_EXIT = 88


@contextmanager
def exit_after(seconds: float) -> Iterator[None]:
    """Exit this process if the block takes longer than ``seconds``.

    For steps in a worker process: a sleeping guest or a hanging native library cannot be stopped
    in any other way.
    """
    timer = threading.Timer(seconds, os._exit, (WATCHDOG_EXIT,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
