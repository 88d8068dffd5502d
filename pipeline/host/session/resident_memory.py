"""The memory of this process, which is what contexts cost: their frameworks do not tell."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return the resident memory of this process, at its peak where there is no /proc; else 0.

    >>> resident_bytes() >= 0
    True
    """
    with suppress(OSError):
        # The second number is the resident pages (proc(5)).
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
