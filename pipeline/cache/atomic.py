"""Atomic file writes: write to a temporary file, sync, rename."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pipeline.scratch import PART_NAME_LENGTH, part_beside

AtomicWriter = Callable[[Path], AbstractContextManager[Path]]
"""A function that writes a file atomically, such as :func:`atomic_write`."""


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target``; rename it to ``target`` on success, remove it on failure.

    Raises OSError when the folder cannot be written or the disk is full; ``target`` is then
    unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with part_beside(target) as part:
        part.touch(mode=0o600, exist_ok=False)
        yield part
        replace(part, target)


def replace(part: Path, target: Path) -> None:
    """Sync ``part`` and rename it to ``target``, which must be on the same file system."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.chmod(0o644)
    part.replace(target)
    _sync_folder(target.parent)


def write_bytes(target: Path, data: bytes) -> None:
    """Write ``data`` to ``target`` atomically; raises OSError."""
    with atomic_write(target) as part:
        part.write_bytes(data)


def leftovers(target: Path) -> Iterator[Path]:
    """Yield the temporary files beside ``target`` of writes that were interrupted, or still run."""
    yield from target.parent.glob(f".{glob.escape(target.name[:PART_NAME_LENGTH])}.*.part")


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder; renames are durable without this.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
