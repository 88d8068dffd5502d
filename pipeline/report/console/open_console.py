"""The console that fits a stream: live on a terminal that can show it, else plain."""

from __future__ import annotations

import io
from typing import TextIO

from pipeline.report.console.protocol import Console, Verbosity
from pipeline.report.console.terminal import can_redraw, has_colour


def open_console(stream: TextIO, verbosity: Verbosity = Verbosity.NORMAL) -> Console:
    """Return a live console on a capable terminal, else a plain one.

    Honours TERM=dumb (plain lines), NO_COLOR (no colour even on a terminal) and FORCE_COLOR (colour
    even elsewhere).
    """
    from pipeline.report.console.plain import PlainConsole

    if isinstance(stream, io.TextIOWrapper):
        # A character that the terminal's encoding lacks must not abort a run.
        stream.reconfigure(errors="backslashreplace")
    if verbosity is not Verbosity.QUIET and can_redraw(stream):
        from pipeline.report.console.live import LiveConsole

        return LiveConsole(stream, verbosity)
    return PlainConsole(stream, verbosity, colour=has_colour(stream))
