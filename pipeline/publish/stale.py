"""Remove files of a fixture that an earlier config declared and the current one does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote


def note_published(folder: Path, paths: Iterable[Path], memory: Path) -> None:
    """Record published files and folders below ``folder``, so that they can be removed later.

    ``memory`` is a folder with an empty file for each, so that steps can write concurrently.
    """
    memory.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (memory / quote(path.relative_to(folder).as_posix(), safe="")).touch()


def drop_stale(folder: Path, published: Iterable[Path], memory: Path) -> list[Path]:
    """Remove everything recorded in ``memory`` that is not in ``published``; return the paths.

    Files that the user added were never recorded, and are kept.
    """
    names = {quote(path.relative_to(folder).as_posix(), safe="") for path in published}
    try:
        notes = sorted(note for note in memory.iterdir() if note.name not in names)
    except OSError:
        return []
    stale = [folder / unquote(note.name) for note in notes]
    for note, path in zip(notes, stale, strict=True):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
        note.unlink(missing_ok=True)
    return stale
