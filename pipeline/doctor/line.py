"""One thing that the doctor looked at, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Fine; a note, of what is optional or may wait; or wrong, of what a plain run needs."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Line:
    """What was looked at (``check`` and ``subject``), what was found, and what mends it."""

    check: str
    subject: str
    verdict: Verdict
    found: str
    fix: str = ""


def fine(check: str, subject: str, found: str) -> Line:
    """Return a line about what is as it should be."""
    return Line(check, subject, Verdict.FINE, found)


def lacking(check: str, subject: str, found: str, fix: str, *, needed: bool = True) -> Line:
    """Return a line about what is not, which is only a note where it is not ``needed``."""
    return Line(check, subject, Verdict.WRONG if needed else Verdict.NOTE, found, fix)


def exit_code(lines: Sequence[Line]) -> int:
    """Return 1 where something is wrong, else 0."""
    return int(any(line.verdict is Verdict.WRONG for line in lines))
