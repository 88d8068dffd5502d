"""One run of a command: its wall time, its processor time, and the most memory that it held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timed:
    """Wall time in seconds, peak resident memory in bytes, and processor time in seconds.

    The processor time includes that of child processes; another load changes it least.
    """

    seconds: float
    memory: int
    cpu: float


def timed(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> Timed:
    """Run a command, which must end well, without showing what it prints.

    ``environment`` replaces that of this process.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    seconds = time.perf_counter() - started
    return Timed(seconds, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)
