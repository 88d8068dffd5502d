"""A run as plain lines to grep: for pipes, logs and simple terminals."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.errors import printable
from pipeline.execution.progress import Amount
from pipeline.report.console.protocol import Left, Volume
from pipeline.report.console.summary import closing, one_line, table
from pipeline.report.console.terminal import hush
from pipeline.report.verified_cases import Row

_SILENT_SECONDS = {Volume.USUAL: 5.0, Volume.VERBOSE: 1.0}


class PlainConsole:
    """Prints one line per event, and occasional lines for slow steps."""

    def __init__(
        self, stream: TextIO, volume: Volume = Volume.USUAL, *, colour: bool = False
    ) -> None:
        self._stream = stream
        self._volume = volume
        self._colour = colour
        self._guard = threading.Lock()
        self._total = 0
        self._done = 0
        self._said: dict[str, float] = {}

    def started(self, name: str, title: str, total: int) -> None:
        """Record when the step started."""
        self._total = total
        self._said[name] = time.monotonic()
        if self._volume is Volume.VERBOSE:
            self._say(name, f"started: {title}" if title else "started")

    def progress(self, name: str, text: str, amount: Amount | None = None) -> None:
        """Print at most one line every few seconds per step; if verbose, also all texts."""
        if self._volume is Volume.QUIET:
            return
        now = time.monotonic()
        telling = self._volume is Volume.VERBOSE and amount is None
        if telling or now - self._said.get(name, 0.0) >= _SILENT_SECONDS[self._volume]:
            self._said[name] = now
            self._say(name, text)

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Print the step, its outcome and its duration."""
        self._count(f"{name} {outcome} in {seconds:.1f} s", self._volume is not Volume.QUIET)

    def current(self, name: str) -> None:
        """Count the step; print it only if verbose."""
        self._count(f"{name} is up to date", self._volume is Volume.VERBOSE)

    def failed(self, name: str, text: str) -> None:
        """Print the full error."""
        self._count(f"{name} FAILED", style="red")
        self._print(printable(text))

    def skipped(self, name: str, text: str) -> None:
        """Print the reason."""
        told = self._volume is not Volume.QUIET
        self._count(f"{name} SKIPPED", told, style="yellow")
        if told:
            self._print(printable(text))

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """Print the table of cases, the failures, and a summary line."""
        if self._volume is Volume.QUIET and not left.failed:
            return
        for line in table(rows, self._width()) if self._volume is not Volume.QUIET else ():
            self._print(line)
        for line in closing(rows, left):
            self._print(line, "red" if left.failed else "green")

    def close(self) -> None:
        """Do nothing: there is nothing to restore."""

    def _width(self) -> int | None:
        with suppress(OSError, ValueError):
            if self._stream.isatty():
                return os.get_terminal_size(self._stream.fileno()).columns or None
        return None

    def _say(self, name: str, text: str) -> None:
        self._print(f"{'':>9} {one_line(f'{name}: {text}')}")

    def _count(self, text: str, told: bool = True, style: str = "") -> None:
        with self._guard:
            self._done += 1
            done = self._done
        if told:
            self._print(f"[{done:>3}/{self._total:>3}] {one_line(text)}", style)

    def _print(self, text: str, style: str = "") -> None:
        if self._colour and style:
            from rich.color import ColorSystem
            from rich.style import Style

            text = Style.parse(style).render(text, color_system=ColorSystem.STANDARD)
        with self._guard:
            try:
                print(text, file=self._stream, flush=True)
            except BrokenPipeError:
                hush(self._stream)
