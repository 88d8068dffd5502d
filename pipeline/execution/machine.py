"""Programs and folders of this machine; what is another user's is as if it were not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def programs_named(name: str) -> Iterator[Path]:
    """Yield each program of a name, in the order of the PATH's entries."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if named := shutil.which(name, path=folder or os.curdir):
            yield Path(named)


def entries(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern in a folder, in order."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        # Before Python 3.13, for a folder inside one that cannot be read.
        return []


def home() -> Path:
    """Return the user's home folder; where there is none, a folder that does not exist."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("~")
