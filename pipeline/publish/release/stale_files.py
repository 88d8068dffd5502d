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


def noted(folder: Path, memory: Path) -> dict[Path, Path]:
    """Return each path below ``folder`` that was ever noted in ``memory``, and its note.

    No link is followed: what a note or a link places elsewhere is left out.
    """
    if folder.is_symlink() or not is_below(memory.parent.parent, memory / "note"):
        return {}
    try:
        notes = {folder / unquote(note.name): note for note in sorted(memory.iterdir())}
    except OSError:
        return {}
    return {path: note for path, note in notes.items() if is_below(folder, path)}


def drop_stale(folder: Path, published: Iterable[Path], memory: Path) -> list[Path]:
    """Remove everything recorded in ``memory`` that is not in ``published``; return the paths.

    Files that the user added were never recorded, and are kept.
    """
    kept = set(published)
    stale = {path: note for path, note in noted(folder, memory).items() if path not in kept}
    for path, note in stale.items():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
        note.unlink(missing_ok=True)
    return list(stale)


def is_below(top: Path, path: Path) -> bool:
    """Tell whether a path lies below ``top``, with no link on the way to it.

    It may be a link itself, and need not exist.
    """
    if ".." in path.parts or path == top or not path.is_relative_to(top):
        return False
    between = (parent for parent in path.parents if parent != top and parent.is_relative_to(top))
    return not any(parent.is_symlink() for parent in between)
