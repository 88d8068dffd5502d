"""How a draft asks for what it cannot know: a person, or the command line that should have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import Code, PipelineError


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: what is asked, the flag that answers it, and what is taken without an answer.

    ``choices`` are the possible answers, each with what it means; none allows any text.
    """

    text: str
    flag: str
    default: str | None = None
    choices: Mapping[str, str] | None = None


class Asker(Protocol):
    """Who answers."""

    def __call__(self, question: Question) -> str:
        """Return the answer; raises PipelineError (USAGE) where there is none."""
        ...


def by_person(ask: Asker) -> bool:
    """Return whether someone answers, so that an answer is known, and no guess."""
    return ask is not take_defaults


def take_defaults(question: Question) -> str:
    """Answer with the default; raises PipelineError (USAGE) that names the flag without one."""
    if question.default is not None:
        return question.default
    raise PipelineError(
        Code.USAGE,
        f"{question.text}: it cannot be guessed.",
        expected=question.flag,
        hint="Give the flag, or run the command on a terminal, where it asks.",
    )
