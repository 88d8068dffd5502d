"""How far a step is, in numbers: what a line of progress tells a bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Unit = Literal["bytes", "files", "pictures"]


@dataclass(frozen=True, slots=True)
class Amount:
    """``done`` of ``total`` bytes, files or pictures; ``total`` is None where nobody knows it.

    ``of`` names what is counted, where several things may be counted at once.
    """

    done: int
    total: int | None
    unit: Unit = "bytes"
    of: str = ""


class Say(Protocol):
    """Shows a line of progress, such as ``12.3 of 22.8 MB``, and the same in numbers."""

    def __call__(self, text: str, amount: Amount | None = None, /) -> None:
        """Show it; may be called from any thread, and often."""


def silent(text: str, amount: Amount | None = None, /) -> None:
    """Tell nobody."""
