"""What a stream can show: cursor movement and colour."""

from __future__ import annotations

import os
from typing import TextIO


def can_redraw(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can redraw lines."""
    utf8 = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown") and utf8


def has_colour(stream: TextIO) -> bool:
    """Return whether to colour a stream's output: NO_COLOR takes precedence over FORCE_COLOR.

    >>> import io
    >>> has_colour(io.StringIO())
    False
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or can_redraw(stream)


def to_devnull(stream: TextIO) -> None:
    """Redirect a stream to /dev/null: its reader has exited, as in `doit | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
