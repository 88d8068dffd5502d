"""How a draft gets what it cannot guess: from a prompt, or from a command-line option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import Code, PipelineError


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: its text, the option that answers it, and the default answer.

    ``choices`` maps each allowed answer to its meaning; None allows any text. ``fallback`` is the
    answer for a person who does not know, if there is no default; without either, ``advice`` says
    how to find out.
    """

    text: str
    flag: str
    default: str | None = None
    choices: Mapping[str, str] | None = None
    fallback: str | None = None
    advice: str = ""

    @property
    def guess(self) -> str | None:
        """Return the answer for a person who does not know, or None."""
        return self.default if self.default is not None else self.fallback


@dataclass(frozen=True)
class Answer:
    """An answer; ``known`` is whether a person gave it, so that it is no guess."""

    text: str
    known: bool


class Asker(Protocol):
    """Where answers come from."""

    def __call__(self, question: Question) -> Answer:
        """Return the answer; raises PipelineError (USAGE) if there is none."""
        ...


def by_person(ask: Asker) -> bool:
    """Return whether a person can be asked."""
    return ask is not take_defaults


def not_known(question: Question) -> Answer:
    """Return the guess for "don't know"; raises PipelineError (USAGE) if there is none."""
    if question.guess is not None:
        return Answer(question.guess, known=False)
    raise PipelineError(
        Code.USAGE,
        f"{question.text}: cannot be guessed.",
        expected=question.flag,
        hint=question.advice,
    )


def take_defaults(question: Question) -> Answer:
    """Return the default; without one, raises PipelineError (USAGE) that names the option."""
    if question.default is not None:
        return Answer(question.default, known=False)
    raise PipelineError(
        Code.USAGE,
        f"{question.text}: cannot be guessed.",
        expected=question.flag,
        hint="Give the option, or run the command on a terminal, where it prompts.",
    )
