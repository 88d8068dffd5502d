"""Progress of a step: a line of text, and numbers for a progress bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["bytes", "files", "pictures"]


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` bytes, files or images; ``total`` is None if unknown.

    ``of`` names the counted thing if there may be several at once.
    """

    done: int
    total: int | None
    unit: Unit = "bytes"
    of: str = ""


class ProgressCallback(Protocol):
    """A callback for a line of progress, such as ``12.3 of 22.8 MB``, and its numbers."""

    def __call__(self, text: str, amount: Progress | None = None, /) -> None:
        """Report progress; may be called from any thread, and often."""


def no_progress(text: str, amount: Progress | None = None, /) -> None:
    """Ignore progress."""
