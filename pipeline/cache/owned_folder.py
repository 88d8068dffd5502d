"""Folders that the pipeline owns: they have its marker, and nothing else is ever deleted from.

A folder becomes ours when we make it, when it is empty, or when all in it is known to be ours. So a
config that names somebody's home as its cache is an error, and not the end of that home.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.cache.atomic import write_bytes
from pipeline.cache.confined_path import is_below

# Backup programs leave out folders with this file: bford.info/cachedir.
MARKER = "CACHEDIR.TAG"
# Of a folder with results beside it, such as artifacts/: these are to be backed up.
INNER_MARKER = f".steps/{MARKER}"
_MARK = b"""\
Signature: 8a477f597d28d172789f06886806bc55
# wasi-nn-pipeline made this folder, and may delete what is in it.
"""


class NotOwnedError(OSError):
    """A file is not to be deleted: it is not in a folder of ours, or behind a link."""


def claim(
    folder: Path,
    *,
    known: Collection[str] = (),
    within: Path | None = None,
    marker: str = MARKER,
) -> None:
    """Put our marker into a folder, which is made if it is missing; raises OSError.

    A folder with other names in it than those ``known`` to be ours (patterns) stays whosever it is
    (NotOwnedError), unless it is a part of ``within``, a project, with no link on the way.
    """
    if is_owned(folder):
        return
    folder.mkdir(parents=True, exist_ok=True)
    if within is None or not is_below(within, folder / marker):
        foreign = sorted(_foreign(folder, {*known, marker.partition("/")[0]}))
        if foreign:
            raise NotOwnedError(
                errno.EPERM,
                f"It has other files than ours, such as {ascii(foreign[0])[1:-1]}, and no "
                f"{MARKER} of this program",
                str(folder),
            )
    write_bytes(folder / marker, _MARK)


def is_owned(folder: Path) -> bool:
    """Return whether a folder has our marker."""
    return any(_is_mark(folder / marker) for marker in (MARKER, INNER_MARKER))


def remove(path: Path, owned: Path) -> None:
    """Delete a file, a link or a folder that lies in ``owned``; it may be missing.

    No link is followed. Raises OSError, NotOwnedError if ``owned`` does not have our marker.
    """
    if not is_owned(owned):
        raise NotOwnedError(errno.EPERM, f"The folder has no {MARKER} of ours", str(owned))
    if not is_below(owned, path):
        raise NotOwnedError(errno.EPERM, f"This is not in {owned}, or behind a link", str(path))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return
    with suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def _foreign(folder: Path, known: Collection[str]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            # The marker while another process writes it.
            ours = (*known, f".{MARKER}.*")
            if not any(fnmatchcase(entry.name, pattern) for pattern in ours):
                yield entry.name


def _is_mark(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as stream:
            return stream.read(len(_MARK) + 1) == _MARK
    except OSError:
        return False
