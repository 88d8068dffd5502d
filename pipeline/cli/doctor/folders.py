"""The folders that are written to: whether they are writable, and their free space."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.cli.doctor.check import CheckResult, failed, passed

_LEAST, _SPARSE = 1 << 30, 5 << 30


def folders(named: Mapping[str, Path]) -> list[CheckResult]:
    """Return a line for each folder, given by its purpose.

    A missing folder is judged by its nearest existing parent.
    """
    return [_folder(subject, path) for subject, path in named.items()]


def _folder(subject: str, path: Path) -> CheckResult:
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    fix = "Check owner and mode, or set another folder" + _named(subject)
    try:
        with tempfile.TemporaryFile(dir=there, prefix=".wasi-nn-doctor-"):
            pass
        free = shutil.disk_usage(there).free
    except OSError as error:
        found = f"{path} is not writable: {(error.strerror or str(error)).lower()}"
        return failed("folder", subject, found, fix)
    found = f"{path}, {free / 2**30:.1f} GiB free"
    if free < _SPARSE:
        fix = "Free space" + (": doit gc --limit 2GiB" if subject == "cache" else _named(subject))
        return failed("folder", subject, found, fix, needed=free < _LEAST)
    return passed("folder", subject, found)


def _named(subject: str) -> str:
    ways = {
        "cache": ": cache in configs/project.toml",
        "toolchains": ": toolchains in configs/project.toml",
        "temporary": ": the environment variable TMPDIR",
        "fetched": ": the environment variable WASI_NN_CACHE",
    }
    return ways.get(subject, "")
