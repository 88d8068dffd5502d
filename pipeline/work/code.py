"""Which modules a package is made of."""

from __future__ import annotations

import os
from pathlib import Path


def modules(package: Path) -> list[str]:
    """Return the path of each module, in order; every run asks, and a worker before each step."""
    return sorted(
        f"{folder}{os.sep}{name}"
        for folder, _, names in os.walk(package)
        if not folder.endswith("__pycache__")
        for name in names
        if name.endswith(".py")
    )
