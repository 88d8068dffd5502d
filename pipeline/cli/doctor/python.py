"""The running Python interpreter."""

from __future__ import annotations

import platform
import sys

from pipeline.cli.doctor.check import CheckResult, failed, passed

FIRST, LAST = (3, 11), (3, 13)
_FIX = "Recreate the environment with another Python, for example: uv venv --python 3.13"


def interpreter(version: tuple[int, int] = sys.version_info[:2]) -> list[CheckResult]:
    """Return whether the running Python is supported and tested."""
    about = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    compiled = platform.python_implementation() == "CPython" and sys.maxsize > 2**32
    supported = f"{FIRST[0]}.{FIRST[1]} to {LAST[0]}.{LAST[1]}"
    if version < FIRST or not compiled:
        return [
            failed("python", "version", f"{about}; 64-bit CPython {supported} is required", _FIX)
        ]
    if version > LAST:
        return [failed("python", "version", f"{about}; tested: {supported}", _FIX, needed=False)]
    return [passed("python", "version", about)]
