"""The end of a worker that hangs in a call which nothing can interrupt."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# The exit status by which the pool tells this end from others.
TOO_LATE = 88


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """End this process when the block is not left within ``seconds``.

    For steps that run in a worker of their own: a guest that sleeps, or a native library that
    never returns, cannot be stopped in any other way.
    """
    timer = threading.Timer(seconds, os._exit, (TOO_LATE,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
