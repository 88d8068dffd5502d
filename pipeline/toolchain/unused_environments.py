"""Locked environments that nobody needs any more: an older lock file's, or no config's."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.scratch import part_beside
from pipeline.toolchain.environment import TOOLCHAINS, environment_folder, users_of
from pipeline.toolchain.environment_record import remove_record

_NAME = re.compile(r"(?P<toolchain>.+)-[0-9a-f]{12}(?:-[0-9a-f]{8})?")


@dataclass(frozen=True)
class Unneeded:
    """An environment that was removed, or would be: its folder's name, and its size in bytes."""

    name: str
    bytes: int


def collect_environments(
    folder: Path, needed: Collection[str], own: Collection[Path], *, dry: bool = False
) -> Iterator[Unneeded]:
    """Remove the environments in ``folder`` but those that are ``needed`` by name; raises OSError.

    ``own`` are the folders of lock files that this project alone uses. Kept too: what another
    project that shares the folder still has the lock file of, what is being made, and what a
    process of this machine runs.
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
                    # Renamed first, so that a run that is killed leaves no half environment.
                    with part_beside(environment) as gone:
                        environment.rename(gone)
                    remove_record(environment)
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


def _is_wanted(environment: Path, own: Collection[Path]) -> bool:
    """Return whether the lock file of another project, which used it, still says the same."""
    ours = {folder.absolute() for folder in own}
    for lock in users_of(environment):
        toolchain = None if lock.parent in ours else TOOLCHAINS.get(lock.stem)
        with suppress(OSError):
            if toolchain and environment_folder(toolchain, lock, environment.parent) == environment:
                return True
    return False


def _programs() -> list[str]:
    """Return what the processes of this machine were started as."""
    import psutil

    started = (process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
    return [command[0] for command in started if command]
