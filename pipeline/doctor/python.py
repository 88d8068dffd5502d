"""The Python that runs us."""

from __future__ import annotations

import platform
import sys

from pipeline.doctor.line import Line, fine, lacking

FIRST, LAST = (3, 11), (3, 13)
_FIX = "Make the environment anew with another Python, for example: uv venv --python 3.13"


def interpreter(version: tuple[int, int] = sys.version_info[:2]) -> list[Line]:
    """Return whether a Python of this version can run the pipeline, and is one that is tried."""
    about = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    compiled = platform.python_implementation() == "CPython" and sys.maxsize > 2**32
    supported = f"{FIRST[0]}.{FIRST[1]} to {LAST[0]}.{LAST[1]}"
    if version < FIRST or not compiled:
        return [
            lacking("python", "version", f"{about}; 64-bit CPython {supported} is needed", _FIX)
        ]
    if version > LAST:
        return [lacking("python", "version", f"{about}; {supported} are tried", _FIX, needed=False)]
    return [fine("python", "version", about)]
