"""Files of a fixture that an earlier config asked for and the present one does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.store.atomic import write_bytes


def drop_stale(folder: Path, published: Iterable[Path], memory: Path) -> list[Path]:
    """Remove what was published before and no longer is; return what was removed.

    ``published`` are files and folders below ``folder``; ``memory`` keeps their names for the
    next time. What a person has put into the folder was never published, and stays.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in published)
    try:
        before = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        before = []
    stale = [folder / name for name in before if name not in names]
    for path in stale:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if names != before:
        write_bytes(memory, json.dumps(names).encode() + b"\n")
    return stale
