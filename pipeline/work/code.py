"""List the modules of a package."""

from __future__ import annotations

import os
from pathlib import Path


def modules(package: Path) -> list[str]:
    """Return the sorted paths of all modules; called in every run and before each cluster step."""
    return sorted(
        f"{folder}{os.sep}{name}"
        for folder, _, names in os.walk(package)
        if not folder.endswith("__pycache__")
        for name in names
        if name.endswith(".py")
    )
