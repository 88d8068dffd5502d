"""How a draft gets what it cannot guess: from a prompt, or from a command-line option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import Code, PipelineError


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: its text, the option that answers it, and the default answer.

    ``choices`` maps each allowed answer to its meaning; None allows any text.
    """

    text: str
    flag: str
    default: str | None = None
    choices: Mapping[str, str] | None = None


class Asker(Protocol):
    """Where answers come from."""

    def __call__(self, question: Question) -> str:
        """Return the answer; raises PipelineError (USAGE) if there is none."""
        ...


def by_person(ask: Asker) -> bool:
    """Return whether a person answers, so that the answer is no guess."""
    return ask is not take_defaults


def take_defaults(question: Question) -> str:
    """Return the default; without one, raises PipelineError (USAGE) that names the option."""
    if question.default is not None:
        return question.default
    raise PipelineError(
        Code.USAGE,
        f"{question.text}: cannot be guessed.",
        expected=question.flag,
        hint="Give the option, or run the command on a terminal, where it prompts.",
    )
