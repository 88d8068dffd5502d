"""List the images in a local folder by walking it, without opening files.

The folder is walked whenever steps are created, since its images are their inputs.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache.confined_path import outside
from pipeline.cache.file_version import version_of
from pipeline.errors import printable
from pipeline.tensor.dataset.pictures import is_picture, is_plain

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Listing:
    """The images by name, the unusable ones with the reason, and the folders that were read.

    ``folders`` has the version of each folder before it was read.
    """

    files: Mapping[str, Path]
    faults: Mapping[str, str]
    folders: Mapping[Path, str]


def list_folder(root: Path, folder: str) -> Listing:
    """Return the files below a folder of the project with an image suffix; none if it is missing.

    Links that lead out of the project, or out of a folder that is not in it, are faults.
    """
    return _walked(root, root / folder, is_picture)


def list_glob(root: Path, pattern: str) -> Listing:
    """Return the project's files that match ``pattern``, in which ``**`` is zero or more folders.

    Names are relative to the last folder before the first ``*``, ``?`` or ``[``.
    """
    parts = (root / pattern).parts
    fixed = next((at for at, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    rest = parts[fixed:]
    return _walked(root, Path(*parts[:fixed]), lambda name: _matches(name.split("/"), rest))


def _walked(root: Path, top: Path, wanted: Callable[[str], bool]) -> Listing:
    files: dict[str, Path] = {}
    faults: dict[str, str] = {}
    folders: dict[Path, str] = {}
    # A place outside of the project is meant where the config itself names it, without a link.
    if not Path(os.path.normpath(top)).is_relative_to(os.path.normpath(root)):
        root = top
    if fault := outside(root, top):
        return Listing({}, {top.name: f"The folder is {fault}."}, {})
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
            # Links to folders may form cycles.
            if entry.is_dir(follow_symlinks=False):
                waiting.append((f"{name}/", folder / entry.name))
            elif not wanted(name):
                continue
            elif not is_plain(name) or not _is_text(name):
                faults[printable(ascii(name)[1:-1])] = "The name is not allowed in an index."
            elif not entry.is_file():
                faults[name] = "Not a regular file, or a broken link."
            elif entry.is_symlink() and (fault := outside(root, folder / entry.name)):
                faults[name] = f"It is {fault}."
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
