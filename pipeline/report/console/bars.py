"""Live progress lines, with a bar where the progress is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import (
    Progress as RichProgress,
)
from rich.table import Column, Table
from rich.text import Text

from pipeline.execution.progress import Progress
from pipeline.report.console.summary import one_line

# Minimum columns for a line's text, and for its speed.
WIDE, WIDER = 60, 76
_SMALL_BAR, _BAR = 10, 24
_ELAPSED, _NUMBERS, _SPEED, _LEFT = 7, 15, 10, 7


class Bars:
    """Progress lines, one for each name, in order of appearance."""

    def __init__(self, console: Console) -> None:
        self.progress = _Lines(console)
        self._tasks: dict[str, TaskID] = {}
        self._counted: dict[str, str] = {}
        self._guard = threading.Lock()

    def add(self, name: str, detail: str = "") -> None:
        """Show a line, with a spinner until its progress is known."""
        with self._guard:
            if name not in self._tasks:
                self._tasks[name] = self.progress.add_task(
                    one_line(name), total=None, detail=one_line(detail), began=time.monotonic()
                )

    def update(self, name: str, text: str, amount: Progress | None) -> None:
        """Show a text on a name's line, or the amount as a bar."""
        with self._guard:
            task = self._tasks.get(name)
            if task is None:
                return
            detail = one_line(text)
            if amount is None:
                self.progress.update(task, total=None, detail=detail, unit="")
                return
            if self._counted.get(name) != amount.of:
                # Restart the speed estimate for each file.
                self._counted[name] = amount.of
                self.progress.reset(task, total=amount.total)
            self.progress.update(
                task, total=amount.total, completed=amount.done, detail=detail, unit=amount.unit
            )

    def remove(self, name: str) -> None:
        """Remove a line."""
        with self._guard:
            task = self._tasks.pop(name, None)
            if task is not None:
                self.progress.remove_task(task)


class _Lines(RichProgress):
    """Rich's task table, with columns that fit the current width."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            SpinnerColumn(), _Name(console), _Elapsed(), _Detail(console), console=console
        )

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        """Return a line for each task, never wider than the terminal."""
        shown = super().make_tasks_table(tasks)
        for column in shown.columns:
            column.no_wrap, column.overflow = True, "crop"
        return shown


def _name_width(width: int) -> int:
    if width < WIDE:
        return max(8, width - 2 - _ELAPSED - 1 - 11)
    others = 2 + _ELAPSED + 1 + _SMALL_BAR + 1 + _NUMBERS + 1 + _LEFT + 2
    return max(8, min(40, width - others - (_SPEED + 1 if width >= WIDER else 0)))


class _Name(ProgressColumn):
    def __init__(self, console: Console) -> None:
        self._console = console
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> RenderableType:
        shown = Text(task.description)
        shown.truncate(_name_width(self._console.width), overflow="ellipsis")
        return shown


class _Elapsed(ProgressColumn):
    def render(self, task: Task) -> RenderableType:
        seconds = int(time.monotonic() - task.fields["began"])
        return Text(str(timedelta(seconds=seconds)), style="progress.elapsed")


class _Detail(ProgressColumn):
    """The bar with its numbers, speed and remaining time; or the line's text."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = {width: BarColumn(bar_width=width) for width in (_SMALL_BAR, _BAR)}
        self._bytes = DownloadColumn()
        self._speed = TransferSpeedColumn()
        self._left = TimeRemainingColumn(compact=True)
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> RenderableType:
        width = self._console.width
        unit = task.fields.get("unit")
        if not unit:
            room = width - 2 - _name_width(width) - _ELAPSED - 3
            detail = Text(task.fields["detail"] if width >= WIDE else "", style="dim")
            detail.truncate(max(0, room), overflow="ellipsis")
            return detail
        incomplete = self._left.render(task)
        if width < WIDE:
            much = f"{task.percentage:>3.0f}%" if task.total else f"{task.completed / 1e6:.0f}M"
            return _beside(Text(much if unit == "bytes" or task.total else ""), incomplete)
        roomy = width >= WIDER + 40
        counted = f" {unit}" if roomy else ""
        numbers = self._bytes.render(task) if unit == "bytes" else _count(task, counted)
        bar = self._bars[_BAR if roomy else _SMALL_BAR].render(task)
        if width < WIDER:
            return _beside(bar, numbers, incomplete)
        speed = self._speed.render(task) if unit == "bytes" else _pace(task)
        return _beside(bar, numbers, speed, incomplete)


def _beside(*parts: RenderableType) -> RenderableType:
    shown = Table.grid(*(Column(no_wrap=True) for _ in parts), padding=(0, 1))
    shown.add_row(*parts)
    return shown


def _count(task: Task, unit: str) -> Text:
    total = f"{int(task.total):,}" if task.total is not None else "?"
    return Text(f"{int(task.completed):,}/{total}{unit}", style="progress.download")


def _pace(task: Task) -> Text:
    speed = task.finished_speed or task.speed
    return Text("?" if speed is None else f"{speed:.1f}/s", style="progress.data.speed")
