"""List the code files of a package, and compute their digest."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Python, the program that runs in Node.js, and the interface and the adapter of components.
_ENDINGS = (".py", ".mjs", ".wat", ".wit")


def source_modules(package: Path) -> list[str]:
    """Return the sorted paths of all code files; called in every run and before each cluster step.

    Programs that run in processes of their own are included.
    """
    return sorted(
        f"{folder}{os.sep}{name}"
        for folder, _, names in os.walk(package)
        if not folder.endswith("__pycache__")
        for name in names
        if name.endswith(_ENDINGS)
    )


def package_digest(package: Path) -> str:
    """Return 12 hex digits that tell any two states of a package's code from one another."""
    # The workers of a cluster ask; what starts a run has no use for it.
    from pipeline.cache.file_version import version_of

    versions = ((path, version_of(Path(path).stat())) for path in source_modules(package))
    return _digest(package, tuple(versions))


# A second thread that asks at the same time finds the same.
@lru_cache(maxsize=1)
def _digest(package: Path, versions: tuple[tuple[str, str], ...]) -> str:
    from pipeline.cache.digest import Digest, key_of

    files = [Path(path) for path, _ in versions]
    return key_of(
        {path.relative_to(package).as_posix(): Digest.of_file(path).sha256 for path in files}
    )[:12]
