"""Questions on a terminal."""

from __future__ import annotations

import sys

from pipeline.draft.asking import Asker, Question, take_defaults
from pipeline.errors import Code, PipelineError, printable


def asker(*, quiet: bool) -> Asker:
    """Return who answers: the person at the terminal, or the defaults where there is none."""
    if quiet or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return take_defaults
    return _ask


def _ask(question: Question) -> str:
    from rich.console import Console
    from rich.prompt import Prompt
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(printable(question.text), style="bold"))
    for name, meaning in (question.choices or {}).items():
        console.print(Text(f"  {name:<9} {meaning}"))
    choices = list(question.choices or ()) or None
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
            if answer and answer.strip():
                return answer.strip()
    except EOFError:
        raise PipelineError(
            Code.USAGE, "The question was not answered.", expected=question.flag
        ) from None
