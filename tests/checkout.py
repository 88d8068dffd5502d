"""A copy of this checkout, as git would commit it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.tiny import ROOT


def copy_checkout(root: Path) -> None:
    """Copy the files of this checkout that git has or would add to a new folder."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
