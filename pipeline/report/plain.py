"""A run as plain lines that can be grepped: for pipes, logs and terminals that cannot do more."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

from pipeline.errors import printable
from pipeline.report.console import Left, Volume, hush
from pipeline.report.ending import closing, one_line, table
from pipeline.report.verified import Row
from pipeline.work.amount import Amount

_SILENT_SECONDS = {Volume.USUAL: 5.0, Volume.VERBOSE: 1.0}


class PlainConsole:
    """One line for each thing that happened, and now and then one for a step that takes long."""

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
        """Note when the step started."""
        self._total = total
        self._said[name] = time.monotonic()
        if self._volume is Volume.VERBOSE:
            self._say(name, f"begins: {title}" if title else "begins")

    def progress(self, name: str, text: str, amount: Amount | None = None) -> None:
        """Print at most a line every few seconds for a step; verbose, also all without numbers."""
        if self._volume is Volume.QUIET:
            return
        now = time.monotonic()
        telling = self._volume is Volume.VERBOSE and amount is None
        if telling or now - self._said.get(name, 0.0) >= _SILENT_SECONDS[self._volume]:
            self._said[name] = now
            self._say(name, text)

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Print the step, how it came about, and how long it took."""
        self._count(f"{name} {outcome} in {seconds:.1f} s", self._volume is not Volume.QUIET)

    def current(self, name: str) -> None:
        """Count the step; what had nothing to do is news for the curious alone."""
        self._count(f"{name} is up to date", self._volume is Volume.VERBOSE)

    def failed(self, name: str, text: str) -> None:
        """Print the whole error."""
        self._count(f"{name} FAILED", style="red")
        self._print(printable(text))

    def skipped(self, name: str, text: str) -> None:
        """Print why it was left out."""
        told = self._volume is not Volume.QUIET
        self._count(f"{name} SKIPPED", told, style="yellow")
        if told:
            self._print(printable(text))

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """Print the table, the failures' first lines, and a closing line."""
        if self._volume is Volume.QUIET and not left.failed:
            return
        for line in table(rows, self._width()) if self._volume is not Volume.QUIET else ():
            self._print(line)
        for line in closing(rows, left):
            self._print(line, "red" if left.failed else "green")

    def close(self) -> None:
        """Nothing to put back."""

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
