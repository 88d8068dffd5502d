"""The console's interface, and the choice of a console for a stream."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TextIO

from pipeline.report.verified import Row
from pipeline.work.amount import Amount


class Volume(Enum):
    """Verbosity: failures only; also results; or also the output of each step."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


@dataclass(frozen=True)
class Left:
    """What a run did not do: steps that failed, that were blocked by those, and that were skipped.

    Each maps to the text of its error; a blocked step to what it needs.
    """

    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


class Console(Protocol):
    """Where a run is shown. All methods are thread-safe."""

    def started(self, name: str, title: str, total: int) -> None:
        """A step has started, of ``total`` in the run."""
        ...

    def progress(self, name: str, text: str, amount: Amount | None = None) -> None:
        """A running step reports progress, such as the bytes of a download."""
        ...

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """A step has succeeded."""
        ...

    def current(self, name: str) -> None:
        """A step was up to date."""
        ...

    def failed(self, name: str, text: str) -> None:
        """A step has failed."""
        ...

    def skipped(self, name: str, text: str) -> None:
        """A step was skipped; the text is the reason."""
        ...

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """The run has ended."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


def open_console(stream: TextIO, volume: Volume = Volume.USUAL) -> Console:
    """Return a live console on a capable terminal, else a plain one.

    Honours TERM=dumb (plain lines), NO_COLOR (no colour even on a terminal) and FORCE_COLOR (colour
    even elsewhere).
    """
    from pipeline.report.plain import PlainConsole

    if isinstance(stream, io.TextIOWrapper):
        # A character that the terminal's encoding lacks must not abort a run.
        stream.reconfigure(errors="backslashreplace")
    if volume is not Volume.QUIET and can_move(stream):
        from pipeline.report.live import LiveConsole

        return LiveConsole(stream, volume)
    return PlainConsole(stream, volume, colour=has_colour(stream))


def can_move(stream: TextIO) -> bool:
    """Return whether a stream is a terminal that can redraw lines."""
    utf8 = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown") and utf8


def has_colour(stream: TextIO) -> bool:
    """Return whether to colour a stream's output: NO_COLOR takes precedence over FORCE_COLOR.

    >>> has_colour(io.StringIO())
    False
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or can_move(stream)


def hush(stream: TextIO) -> None:
    """Redirect a stream to /dev/null: its reader has exited, as in `doit | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
