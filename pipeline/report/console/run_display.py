"""The events of a run on the console."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from pipeline.execution.once import Once
from pipeline.report.console.open_console import open_console
from pipeline.report.console.protocol import Console, IncompleteSteps, Verbosity
from pipeline.report.console.terminal import to_devnull
from pipeline.report.events import (
    Event,
    RunFinished,
    RunInterrupted,
    RunStarted,
    StepBlocked,
    StepCurrent,
    StepFailed,
    StepFinished,
    StepProgress,
    StepSkipped,
    StepStarted,
)
from pipeline.report.verified_cases import Row


class RunDisplay:
    """Subscribes to a run; ``rows`` returns those of the summary for the steps that were reached.

    No console is opened before there is something to show.
    """

    def __init__(
        self,
        stream: TextIO,
        verbosity: Verbosity,
        rows: Callable[[Sequence[str]], Sequence[Row]],
    ) -> None:
        self._stream = stream
        self._verbosity = verbosity
        self._rows = rows
        self._console = Once(self._open)
        self._total = 0
        self._interrupted = False
        self._started: dict[str, float] = {}
        self._reached: list[str] = []
        self._failed: dict[str, str] = {}
        self._blocked: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._ran = False

    def __call__(self, event: Event) -> None:
        """Show an event; after an interrupt, nothing but the end."""
        match event:
            case StepCurrent():
                self._reached.append(event.step)
                if self._started or self._verbosity is Verbosity.VERBOSE:
                    self._console.get().current(event.step)
            case RunStarted():
                self._total = event.steps
            case RunInterrupted():
                self._interrupted = True
                if (console := self._console.made()) is not None:
                    console.close()
            case RunFinished():
                self._finish()
            case StepBlocked():
                self._blocked[event.step] = event.reason
            case _ if not self._interrupted:
                self._show_step(event)

    def _open(self) -> Console:
        console = open_console(self._stream, self._verbosity)
        console.expect(self._total)
        return console

    def _show_step(self, event: Event) -> None:
        console = self._console.get()
        match event:
            case StepStarted():
                self._started[event.step] = time.monotonic()
                console.started(event.step, event.title, self._total)
            case StepProgress():
                console.progress(event.step, event.text, event.amount)
            case StepFinished():
                self._ran = True
                self._reached.append(event.step)
                seconds = time.monotonic() - self._started[event.step]
                console.finished(event.step, event.outcome, seconds)
            case StepFailed():
                self._failed[event.step] = event.render()
                console.failed(event.step, self._failed[event.step])
            case StepSkipped():
                self._skipped[event.step] = event.render()
                console.skipped(event.step, self._skipped[event.step])

    def _finish(self) -> None:
        if self._interrupted:
            print("interrupted; finished steps are kept, no file is half-written", file=sys.stderr)
        elif self._ran or self._failed or self._skipped:
            incomplete = IncompleteSteps(self._failed, self._blocked, self._skipped)
            self._console.get().summary(self._rows(self._reached), incomplete)
        elif self._reached and self._verbosity is not Verbosity.QUIET:
            print_line(f"nothing to do: {len(self._reached)} steps are up to date", self._stream)


def print_line(text: str, stream: TextIO) -> None:
    """Print a line, to nowhere if the stream's reader has exited."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        to_devnull(stream)
