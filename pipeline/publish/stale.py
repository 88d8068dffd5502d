"""Files of a fixture that an earlier config asked for and the present one does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote


def note_published(folder: Path, paths: Iterable[Path], memory: Path) -> None:
    """Note that files and folders below ``folder`` were published, so that they can be dropped.

    ``memory`` is a folder with an empty file for each, so that steps can note at the same time.
    """
    memory.mkdir(parents=True, exist_ok=True)
    for path in paths:
        (memory / quote(path.relative_to(folder).as_posix(), safe="")).touch()


def drop_stale(folder: Path, published: Iterable[Path], memory: Path) -> list[Path]:
    """Remove what was ever noted in ``memory`` and is not ``published``; return what it was.

    What a person has put into the folder was never noted, and stays.
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
