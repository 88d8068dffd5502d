"""Locked environments that nobody needs any more: an older lock file's, or no config's."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.toolchain.environment import TOOLCHAINS, environment_folder, users_of

_NAME = re.compile(r"(?P<toolchain>.+)-[0-9a-f]{12}")


@dataclass(frozen=True)
class Unneeded:
    """An environment that was removed, or would be: its folder's name, and its size in bytes."""

    name: str
    bytes: int


def collect_environments(
    folder: Path, needed: Collection[str], own: Path, *, dry: bool = False
) -> Iterator[Unneeded]:
    """Remove the environments in ``folder`` but those that are ``needed`` by name; raises OSError.

    ``own`` is the project's folder of lock files. Kept too: what another project that shares the
    folder still has the lock file of, what is being made, and what a process of this machine runs.
    """
    from filelock import FileLock, Timeout

    if not folder.is_dir():
        return
    running = _programs()
    for environment in sorted(folder.iterdir()):
        named = _NAME.fullmatch(environment.name)
        if named is None or named["toolchain"] not in TOOLCHAINS or environment.name in needed:
            continue
        if not environment.is_dir() or _is_wanted(environment, own):
            continue
        if any(Path(program).is_relative_to(environment.absolute()) for program in running):
            continue
        size = folder_size(environment)
        if not dry:
            try:
                with FileLock(folder / f"{environment.name}.lock", timeout=0):
                    # The name of a part that a killed run left: whoever makes it anew removes it.
                    gone = folder / f".{environment.name}.{uuid.uuid4().hex[:8]}"
                    environment.rename(gone)
                    shutil.rmtree(gone)
            except Timeout:
                continue
        yield Unneeded(environment.name, size)


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder; of several names of one file, once."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = Path(place, name).lstat()
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def _is_wanted(environment: Path, own: Path) -> bool:
    """Return whether the lock file of another project, which used it, still says the same."""
    for lock in users_of(environment):
        toolchain = None if lock.parent == own.absolute() else TOOLCHAINS.get(lock.stem)
        with suppress(OSError):
            if toolchain and environment_folder(toolchain, lock, environment.parent) == environment:
                return True
    return False


def _programs() -> list[str]:
    """Return what the processes of this machine were started as."""
    import psutil

    started = (process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
    return [command[0] for command in started if command]
