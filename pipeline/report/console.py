"""A run as a person sees it: live on a terminal, plain lines that can be grepped elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

from pipeline.report.verified import HEADINGS, Row

if TYPE_CHECKING:
    from rich.progress import TaskID

_QUIET_SECONDS = 5.0


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

    def progress(self, name: str, text: str) -> None:
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


def open_console(stream: TextIO) -> Console:
    """Return the live console on a terminal, else the plain one."""
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return LiveConsole(stream)
    return PlainConsole(stream)


class PlainConsole:
    """One line for each thing that happened, and now and then one for a step that takes long."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._guard = threading.Lock()
        self._total = 0
        self._done = 0
        self._said: dict[str, float] = {}

    def started(self, name: str, title: str, total: int) -> None:
        """Note when the step started."""
        self._total = total
        self._said[name] = time.monotonic()

    def progress(self, name: str, text: str) -> None:
        """Print at most a line every few seconds for a step."""
        now = time.monotonic()
        if now - self._said.get(name, 0.0) >= _QUIET_SECONDS:
            self._said[name] = now
            self._print(f"{'':>9} {name}: {text}")

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Print the step, how it came about, and how long it took."""
        self._count(f"{name} {outcome} in {seconds:.1f} s")

    def current(self, name: str) -> None:
        """Count the step; what had nothing to do is no news."""
        with self._guard:
            self._done += 1

    def failed(self, name: str, text: str) -> None:
        """Print the whole error."""
        self._count(f"{name} FAILED")
        self._print(text)

    def skipped(self, name: str, text: str) -> None:
        """Print why it was left out."""
        self._count(f"{name} SKIPPED")
        self._print(text)

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """Print the table, the failures' first lines, and a closing line."""
        for line in (*table(rows), *closing(rows, left)):
            self._print(line)

    def close(self) -> None:
        """Nothing to put back."""

    def _count(self, text: str) -> None:
        with self._guard:
            self._done += 1
            done = self._done
        self._print(f"[{done:>3}/{self._total:>3}] {text}")

    def _print(self, text: str) -> None:
        with self._guard:
            try:
                print(text, file=self._stream, flush=True)
            except BrokenPipeError:
                hush(self._stream)


def hush(stream: TextIO) -> None:
    """Lead a stream nowhere: its reader has enough, as in `doit | head`, and the run goes on."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class LiveConsole:
    """A bar for the run, a spinner for each running step, finished steps above them."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console as RichConsole
        from rich.console import Group
        from rich.live import Live
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self._console = RichConsole(file=stream, highlight=False)
        self._running = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}", style="dim", markup=False),
            console=self._console,
        )
        self._all = Progress(
            TextColumn(" "),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._live = Live(Group(self._running, self._all), console=self._console, transient=True)
        self._steps: dict[str, TaskID] = {}
        self._run: TaskID | None = None
        self._guard = threading.Lock()

    def started(self, name: str, title: str, total: int) -> None:
        """Show a spinner for the step."""
        with self._guard:
            if self._run is None:
                self._run = self._all.add_task("", total=total)
                self._live.start()
            self._steps[name] = self._running.add_task(name, total=None, said=title)

    def progress(self, name: str, text: str) -> None:
        """Show the text beside the spinner."""
        if name in self._steps:
            self._running.update(self._steps[name], said=text)

    def finished(self, name: str, outcome: str, seconds: float) -> None:
        """Move the step above the bar."""
        self._end(name, f"[green]✓[/] {name} [dim]{outcome} in {seconds:.1f} s")

    def current(self, name: str) -> None:
        """Advance the bar."""
        if self._run is not None:
            self._all.advance(self._run)

    def failed(self, name: str, text: str) -> None:
        """Print the whole error above the bar."""
        self._end(name, f"[red]✗ {name}")
        self._console.print(text, markup=False, style="red")

    def skipped(self, name: str, text: str) -> None:
        """Print why it was left out above the bar."""
        self._end(name, f"[yellow]– {name}")
        self._console.print(text, markup=False, style="yellow")

    def summary(self, rows: Sequence[Row], left: Left) -> None:
        """Print the table, the failures' first lines, and a closing line."""
        from rich.table import Table
        from rich.text import Text

        self.close()
        if rows:
            shown = Table(title="verified", title_justify="left")
            for heading in HEADINGS:
                shown.add_column(heading)
            for row in rows:
                shown.add_row(*(Text(cell) for cell in row.cells()))
            self._console.print(shown)
        for line in closing(rows, left):
            self._console.print(line, markup=False, style="red" if left.failed else "green")

    def close(self) -> None:
        """Stop the live display."""
        self._live.stop()

    def _end(self, name: str, line: str) -> None:
        with self._guard:
            step = self._steps.pop(name, None)
            if step is not None:
                self._running.remove_task(step)
            if self._run is not None:
                self._all.advance(self._run)
        self._console.print(line)


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as lines with aligned columns, under a heading; none for no rows."""
    if not rows:
        return []
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return ["", lines[0], "  ".join("-" * width for width in widths), *lines[1:], ""]


def closing(rows: Sequence[Row], left: Left) -> list[str]:
    """Return the last lines of a run: what failed, what that kept from running, what was left out.

    >>> closing([], Left(skipped={"guest:x": "error[toolchain]: There is no Rust here."}))
    ['skipped guest:x: error[toolchain]: There is no Rust here.', '0 cases verified, 1 skipped']
    """
    counted = [f"{len(rows)} case{'' if len(rows) == 1 else 's'} verified"]
    lines = [f"FAILED {name}: {text.splitlines()[0]}" for name, text in left.failed.items()]
    lines += [f"not run {name}, which needs {needs}" for name, needs in left.blocked.items()]
    lines += [f"skipped {name}: {text.splitlines()[0]}" for name, text in left.skipped.items()]
    if left.failed:
        counted += [f"{len(left.failed)} failed", f"{len(left.blocked)} not run"]
    if left.skipped:
        counted.append(f"{len(left.skipped)} skipped")
    return [*lines, ", ".join(counted)]
