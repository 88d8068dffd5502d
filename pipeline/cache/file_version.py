"""What tells one version of a file from the next without reading it."""

from __future__ import annotations

import os

# A file changed within the clock tick of its ctime looks unchanged: such a version is not
# remembered. Linux ticks at 1 to 10 ms, FAT at 2 s for mtime, which ctime makes up for.
TICK_NS = 50_000_000


def version_of(status: os.stat_result) -> str:
    """Return what tells one version of a file from the next."""
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
