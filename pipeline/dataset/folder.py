"""The pictures below a folder of this machine, found by walking it; nothing is opened.

It is walked whenever the steps are made, since the pictures are inputs of theirs.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.pictures import is_picture, is_plain
from pipeline.errors import printable
from pipeline.store.versions import version_of

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Listing:
    """The pictures by name, those that cannot be used with the reason, and what was looked at.

    ``folders`` has the version of each folder as it was before it was read.
    """

    files: Mapping[str, Path]
    faults: Mapping[str, str]
    folders: Mapping[Path, str]


def list_folder(folder: Path) -> Listing:
    """Return the files below ``folder`` that have a picture's suffix; none where there is none."""
    return _walked(folder, is_picture)


def list_glob(pattern: Path) -> Listing:
    """Return the files that match ``pattern``, where ``**`` stands for any folders, also none.

    Names start at the last folder before the first ``*``, ``?`` or ``[``.
    """
    parts = pattern.parts
    fixed = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    rest = parts[fixed:]
    return _walked(Path(*parts[:fixed]), lambda name: _matches(name.split("/"), rest))


def _walked(top: Path, wanted: Callable[[str], bool]) -> Listing:
    files: dict[str, Path] = {}
    faults: dict[str, str] = {}
    folders: dict[Path, str] = {}
    waiting = [("", top)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            folders[folder] = version_of(folder.stat())
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError:
            continue
        for entry in found:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            # A link to a folder may lead back to where it lies.
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", folder / entry.name))
            elif not wanted(name):
                continue
            elif not is_plain(name) or not _is_text(name):
                faults[printable(ascii(name)[1:-1])] = "Its name cannot stand in an index."
            elif not entry.is_file():
                faults[name] = "It is not a file, or a link that leads nowhere."
            else:
                files[name] = folder / entry.name
    return Listing(files, faults, folders)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _matches(name: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_matches(name[at:], pattern[1:]) for at in range(len(name) + 1))
    return (
        bool(name) and fnmatch.fnmatchcase(name[0], pattern[0]) and _matches(name[1:], pattern[1:])
    )
