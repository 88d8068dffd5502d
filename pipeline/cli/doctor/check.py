"""One result of a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """FINE; NOTE, if only optional features need it; WRONG, if a plain run needs it."""

    OK = "fine"
    WARN = "note"
    FAIL = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked (``check``, ``subject``), what was found, and the fix."""

    check: str
    subject: str
    status: CheckStatus
    found: str
    fix: str = ""


def passed(check: str, subject: str, found: str) -> CheckResult:
    """Return the line of a check that passed."""
    return CheckResult(check, subject, CheckStatus.OK, found)


def failed(check: str, subject: str, found: str, fix: str, *, needed: bool = True) -> CheckResult:
    """Return the line of a check that failed: only a note unless ``needed``."""
    return CheckResult(check, subject, CheckStatus.FAIL if needed else CheckStatus.WARN, found, fix)


def exit_code(lines: Sequence[CheckResult]) -> int:
    """Return 1 if any line is WRONG, else 0."""
    return int(any(line.status is CheckStatus.FAIL for line in lines))
