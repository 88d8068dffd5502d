"""Wait for the end of processes that a test saw start."""

from __future__ import annotations

import time

import psutil


def ended(pid: int, seconds: float = 30) -> bool:
    """Wait until a process has ended, whether or not its parent knows; False if it goes on."""
    deadline = time.monotonic() + seconds
    while running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def running(pid: int) -> bool:
    """Tell whether a process runs now: a zombie, which a signal has ended, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
