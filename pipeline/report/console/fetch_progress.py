"""Live progress of `wasi-nn fetch`: one line for the fetch, and one for each file."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live

from pipeline.execution.progress import Progress
from pipeline.report.console.bars import Bars


class FetchProgress:
    """A live display inside its context; ``update`` is a progress callback.

    Progress without a file name is shown on the line ``name``.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        console = Console(file=stream, highlight=False, markup=False)
        self._name = name
        self._bars = Bars(console)
        self._live = Live(self._bars.progress, console=console, transient=True)

    def __enter__(self) -> FetchProgress:
        self._live.start()
        self._bars.add(self._name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._live.stop()

    def progress(self, text: str, amount: Progress | None = None, /) -> None:
        """Show progress."""
        if amount is None or not amount.of:
            self._bars.update(self._name, text, amount)
            return
        name = amount.of.rpartition("/")[2] or amount.of
        if amount.done == amount.total:
            self._bars.remove(name)
        else:
            self._bars.add(name)
            self._bars.update(name, text, amount)
