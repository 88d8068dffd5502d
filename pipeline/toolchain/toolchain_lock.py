"""Where the lock file of a toolchain is: in the project, or in the package."""

from __future__ import annotations

from pathlib import Path

from pipeline import builtin


def lock_folders(root: Path) -> tuple[Path, Path]:
    """Return the folders of lock files: the project's own, which comes first, and the built-in."""
    return root / "configs" / "toolchains", builtin.FOLDER / "configs" / "toolchains"


def lock_file(root: Path, toolchain: str) -> Path:
    """Return the requirements file of a toolchain: the project's own if it has one."""
    own, inherited = (folder / f"{toolchain}.lock" for folder in lock_folders(root))
    return own if own.exists() else inherited
