"""One result of a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """FINE; NOTE, if only optional features need it; WRONG, if a plain run needs it."""

    FINE = "fine"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Line:
    """What was checked (``check``, ``subject``), what was found, and the fix."""

    check: str
    subject: str
    verdict: Verdict
    found: str
    fix: str = ""


def fine(check: str, subject: str, found: str) -> Line:
    """Return the line of a check that passed."""
    return Line(check, subject, Verdict.FINE, found)


def lacking(check: str, subject: str, found: str, fix: str, *, needed: bool = True) -> Line:
    """Return the line of a check that failed: only a note unless ``needed``."""
    return Line(check, subject, Verdict.WRONG if needed else Verdict.NOTE, found, fix)


def exit_code(lines: Sequence[Line]) -> int:
    """Return 1 if any line is WRONG, else 0."""
    return int(any(line.verdict is Verdict.WRONG for line in lines))
