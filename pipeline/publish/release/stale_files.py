"""Remove files of a fixture that an earlier config declared and the current one does not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from pipeline.cache.confined_path import is_below
from pipeline.cache.owned_folder import remove


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

    Files that the user added were never recorded, and are kept. The folder above has our marker.
    """
    kept = set(published)
    stale = {path: note for path, note in noted(folder, memory).items() if path not in kept}
    for path, note in stale.items():
        remove(path, folder.parent)
        note.unlink(missing_ok=True)
    return list(stale)
