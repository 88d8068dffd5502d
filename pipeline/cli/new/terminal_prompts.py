"""Interactive prompts on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pipeline.cli.new.prompts import Answer, Asker, Question, not_known, take_defaults
from pipeline.errors import Code, PipelineError, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

_NOT_KNOWN = "?"


def asker(*, quiet: bool) -> Asker:
    """Return an Asker: prompts on a terminal, else the defaults."""
    if quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return take_defaults
    return _ask


def grid(rows: Iterable[Sequence[str]]) -> RenderableType:
    """Return rows as columns that wrap within themselves on a narrow terminal."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return Padding(table, (0, 0, 0, 2))


def _ask(question: Question) -> Answer:
    from rich.console import Console
    from rich.prompt import Prompt
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(printable(question.text), style="bold"))
    console.print(grid([*(question.choices or {}).items(), (_NOT_KNOWN, _meaning(question))]))
    choices = [*question.choices, _NOT_KNOWN] if question.choices else None
    try:
        while True:
            if question.default is None:
                answer = Prompt.ask(
                    "  answer", console=console, choices=choices, show_choices=False
                )
            else:
                answer = Prompt.ask(
                    "  answer",
                    console=console,
                    choices=choices,
                    show_choices=False,
                    default=question.default,
                )
            if answer and answer.strip() == _NOT_KNOWN:
                return not_known(question)
            if answer and answer.strip():
                return Answer(answer.strip(), known=True)
    except EOFError:
        raise PipelineError(Code.USAGE, "No answer to a prompt.", expected=question.flag) from None


def _meaning(question: Question) -> str:
    if question.guess is not None:
        return f"don't know: take {question.guess}, as a guess"
    return "don't know: how to find out"
