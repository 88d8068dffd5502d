"""One run of a command: its wall time, and the most memory that it held."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timed:
    """Wall time in seconds, and peak resident memory in bytes."""

    seconds: float
    memory: int


def timed(command: list[str], folder: Path) -> Timed:
    """Run a command, which must end well, without showing what it prints."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Timed(time.perf_counter() - started, usage.ru_maxrss * 1024)
