"""A run as plain lines to grep: for pipes, logs and simple terminals."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.errors import printable
from pipeline.execution.progress import Progress
from pipeline.report.console.protocol import IncompleteSteps, Verbosity
from pipeline.report.console.summary import one_line, summary_lines, table
from pipeline.report.console.terminal import to_devnull
from pipeline.report.verified_cases import Row

_SILENT_SECONDS = {Verbosity.NORMAL: 5.0, Verbosity.VERBOSE: 1.0}


class PlainConsole:
    """Prints one line per event, and occasional lines for slow steps."""

    def __init__(
        self, stream: TextIO, verbosity: Verbosity = Verbosity.NORMAL, *, colour: bool = False
    ) -> None:
        self._stream = stream
        self._verbosity = verbosity
        self._colour = colour
        self._guard = threading.Lock()
        self._total = 0
        self._done = 0
        self._last_shown: dict[str, float] = {}

    def expect(self, total: int) -> None:
        """Show the total in each line."""
        self._total = total

    def started(self, name: str, title: str, total: int) -> None:
        """Record when the step started."""
        self._total = total
        self._last_shown[name] = time.monotonic()
        if self._verbosity is Verbosity.VERBOSE:
            self._print_line(name, f"started: {title}" if title else "started")

    def progress(self, name: str, text: str, amount: Progress | None = None) -> None:
        """Print at most one line every few seconds per step; if verbose, also all texts."""
        if self._verbosity is Verbosity.QUIET:
            return
        now = time.monotonic()
        telling = self._verbosity is Verbosity.VERBOSE and amount is None
        if telling or now - self._last_shown.get(name, 0.0) >= _SILENT_SECONDS[self._verbosity]:
            self._last_shown[name] = now
            self._print_line(name, text)

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Print the step, its outcome and its duration."""
        self._count(f"{name} {outcome} in {seconds:.1f} s", self._verbosity is not Verbosity.QUIET)

    def current(self, name: str) -> None:
        """Count the step; print it only if verbose."""
        self._count(f"{name} is up to date", self._verbosity is Verbosity.VERBOSE)

    def failed(self, name: str, text: str) -> None:
        """Print the full error."""
        self._count(f"{name} FAILED", style="red")
        self._print(printable(text))

    def skipped(self, name: str, text: str) -> None:
        """Print the reason."""
        shown = self._verbosity is not Verbosity.QUIET
        self._count(f"{name} SKIPPED", shown, style="yellow")
        if shown:
            self._print(printable(text))

    def summary(self, rows: Sequence[Row], incomplete: IncompleteSteps) -> None:
        """Print the table of cases, the failures, and a summary line."""
        if self._verbosity is Verbosity.QUIET and not incomplete.failed:
            return
        for line in table(rows, self._width()) if self._verbosity is not Verbosity.QUIET else ():
            self._print(line)
        for line in summary_lines(rows, incomplete):
            self._print(line, "red" if incomplete.failed else "green")

    def close(self) -> None:
        """Do nothing: there is nothing to restore."""

    def _width(self) -> int | None:
        with suppress(OSError, ValueError):
            if self._stream.isatty():
                return os.get_terminal_size(self._stream.fileno()).columns or None
        return None

    def _print_line(self, name: str, text: str) -> None:
        self._print(f"{'':>9} {one_line(f'{name}: {text}')}")

    def _count(self, text: str, shown: bool = True, style: str = "") -> None:
        with self._guard:
            self._done += 1
            done = self._done
        if shown:
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
                to_devnull(self._stream)
