"""A run on a terminal: a progress bar for the run, and a live line for each running step."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.table import Table
from rich.text import Text

from pipeline.errors import printable
from pipeline.execution.progress import Progress
from pipeline.report.console.bars import Bars
from pipeline.report.console.protocol import IncompleteSteps, Verbosity
from pipeline.report.console.summary import listed, one_line, summary_lines
from pipeline.report.verified_cases import HEADINGS, Row

_BAR = 40


class LiveConsole:
    """The run's bar below the running steps; finished steps scroll above."""

    def __init__(self, stream: TextIO, verbosity: Verbosity = Verbosity.NORMAL) -> None:
        self._console = RichConsole(file=stream, highlight=False, markup=False)
        self._verbose = verbosity is Verbosity.VERBOSE
        self._bars = Bars(self._console)
        self._all = RichProgress(
            TextColumn(" "),
            BarColumn(bar_width=max(4, min(_BAR, self._console.width - 24))),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        group = Group(self._bars.progress, self._all)
        self._live = Live(group, console=self._console, transient=True)
        self._run: TaskID | None = None
        self._guard = threading.Lock()

    def expect(self, total: int) -> None:
        """Do nothing: the bar appears with the first step."""

    def started(self, name: str, title: str, total: int) -> None:
        """Show a line for the step."""
        with self._guard:
            if self._run is None:
                self._run = self._all.add_task("", total=total)
                self._live.start()
        self._bars.add(name, title)

    def progress(self, name: str, text: str, amount: Progress | None = None) -> None:
        """Show progress in the step's line; if verbose, also print texts above the bar."""
        self._bars.update(name, text, amount)
        if self._verbose and amount is None:
            self._print(Text(f"  {one_line(f'{name}: {text}')}", style="dim"))

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Print the step above the bar."""
        line = Text.assemble(("✓", "green"), f" {one_line(name)} ")
        self._end(name, line.append(f"{one_line(outcome)} in {seconds:.1f} s", style="dim"))

    def current(self, name: str) -> None:
        """Advance the bar."""
        if self._run is not None:
            self._all.advance(self._run)
        if self._verbose:
            self._print(Text(f"  {one_line(name)} is up to date", style="dim"))

    def failed(self, name: str, text: str) -> None:
        """Print the full error above the bar."""
        self._end(name, Text(f"✗ {one_line(name)}", style="red"))
        self._print(Text(printable(text), style="red"))

    def skipped(self, name: str, text: str) -> None:
        """Print the reason above the bar."""
        self._end(name, Text(f"– {one_line(name)}", style="yellow"))
        self._print(Text(printable(text), style="yellow"))

    def summary(self, rows: Sequence[Row], incomplete: IncompleteSteps) -> None:
        """Print the table of cases, the failures, and a summary line."""
        self.close()
        if rows:
            shown = Table(title="verified", title_justify="left")
            for heading in HEADINGS:
                shown.add_column(heading, no_wrap=heading in HEADINGS[:3])
            for row in rows:
                shown.add_row(*(Text(cell) for cell in row.cells()))
            unbounded = self._console.options.update(max_width=10_000)
            if self._console.measure(shown, options=unbounded).minimum <= self._console.width:
                self._console.print(shown)
            else:
                for line in listed(rows):
                    self._print(Text(line, style="" if line.startswith(" ") else "bold"))
        for line in summary_lines(rows, incomplete):
            self._print(Text(line, style="red" if incomplete.failed else "green"))

    def close(self) -> None:
        """Stop the live display."""
        self._live.stop()

    def _end(self, name: str, line: Text) -> None:
        self._bars.remove(name)
        if self._run is not None:
            self._all.advance(self._run)
        self._print(line)

    def _print(self, text: Text) -> None:
        for line in text.split(allow_blank=True):
            # Do not wrap a digest or a URL, so that it can be copied.
            long = any(len(word) > self._console.width for word in line.plain.split())
            self._console.print(line, soft_wrap=long)
