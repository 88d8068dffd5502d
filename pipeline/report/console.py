"""Where a run is shown to a person: the port, and which console there is for a stream."""

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
    """How much is told: what failed alone, what happened, or also what each step says."""

    QUIET = 0
    USUAL = 1
    VERBOSE = 2


@dataclass(frozen=True)
class Left:
    """What a run did not do: steps that failed, that those blocked, and that were left out.

    Each with the text of its error; of a blocked one, what it needs.
    """

    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)


class Console(Protocol):
    """Where a run is shown. Every method may be called from any thread."""

    def started(self, name: str, title: str, total: int) -> None:
        """A step starts; the run has ``total`` steps."""
        ...

    def progress(self, name: str, text: str, amount: Amount | None = None) -> None:
        """A running step has something to say, such as the bytes of a download."""
        ...

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """A step ended well."""
        ...

    def current(self, name: str) -> None:
        """A step had nothing to do."""
        ...

    def failed(self, name: str, text: str) -> None:
        """A step failed."""
        ...

    def skipped(self, name: str, text: str) -> None:
        """A step was left out; the text says why."""
        ...

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """The run is over."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def open_console(stream: TextIO, volume: Volume = Volume.USUAL) -> Console:
    """Return the live console on a terminal that can show it, else the plain one.

    The variables that are honoured: TERM=dumb gets plain lines, NO_COLOR no colour even on a
    terminal, FORCE_COLOR colour even elsewhere.
    """
    from pipeline.report.plain import PlainConsole

    if isinstance(stream, io.TextIOWrapper):
        # A letter that the terminal does not have must not end a run.
        stream.reconfigure(errors="backslashreplace")
    if volume is not Volume.QUIET and can_move(stream):
        from pipeline.report.live import LiveConsole

        return LiveConsole(stream, volume)
    return PlainConsole(stream, volume, colour=has_colour(stream))


def can_move(stream: TextIO) -> bool:
    """Return whether a stream is a terminal on which lines can be drawn anew."""
    utf8 = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown") and utf8


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream gets colours: no-color.org and force-color.org, and the first wins.

    >>> has_colour(io.StringIO())
    False
    """
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or can_move(stream)


def hush(stream: TextIO) -> None:
    """Lead a stream nowhere: its reader has enough, as in `doit | head`, and the run goes on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
