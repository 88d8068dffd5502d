"""Paths that are read from a file: relative, and through no link out of their folder."""

from __future__ import annotations

import errno
from pathlib import Path


def path_fault(path: str) -> str:
    r"""Return the expected form of a path, or '' if it is relative and has no '..'.

    >>> path_fault("../secret"), path_fault("/etc/passwd"), path_fault("C:\\x"), path_fault("a/b.c")
    ("a relative path without '..'", "a relative path without '..'", 'a path separated by /', '')
    """
    if not path or not path.isprintable() or "\\" in path or ":" in path:
        return "a path separated by /"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "a relative path without '..'"
    return ""


def confined(root: Path, path: str) -> tuple[Path, str]:
    """Return a path that a file states, below ``root``, and '' or why it must not be used.

    Links are followed as long as they lead to something in ``root``. What does not exist is no
    fault.
    """
    found = root / path
    if fault := path_fault(path):
        return found, f"not {fault}"
    return found, outside(root, found)


def outside(root: Path, path: Path) -> str:
    """Return '' if a path leads to something in ``root`` through its links, else what is wrong."""
    no_path = "not a path, or links that lead to each other"
    try:
        if _is_loop(path):
            return no_path
        if path.resolve().is_relative_to(root.resolve()):
            return ""
    except (OSError, RuntimeError, ValueError):
        return no_path
    return f"a link that leads out of {root.name or root}"


def _is_loop(path: Path) -> bool:
    """Return whether links lead to each other, for which `resolve` of Python 3.13 does not fail."""
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def is_below(top: Path, path: Path) -> bool:
    """Return whether a path lies below ``top``, with no link on the way to it.

    It may be a link itself, and need not exist.
    """
    if ".." in path.parts or path == top or not path.is_relative_to(top):
        return False
    between = (parent for parent in path.parents if parent != top and parent.is_relative_to(top))
    return not any(parent.is_symlink() for parent in between)
