"""What a validation says: findings, and the verdict on a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError


class Verdict(StrEnum):
    """What is known of a folder.

    Without anything that is trusted, a manifest and its sums may have been edited together: then
    all that can be said is that the folder is consistent.
    """

    VALID = "valid"
    CONSISTENT = "consistent, origin unknown"
    INVALID = "invalid"
    UNCHECKED = "could not be checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong: ``kind`` is stable; ``file`` lies in the folder, ``line`` in it."""

    kind: str
    message: str
    file: str
    line: int | None = None
    expected: str = ""
    found: str = ""
    hint: str = ""

    @classmethod
    def of(cls, kind: str, file: str, error: PipelineError) -> Finding:
        """Return what an error of a check tells."""
        return cls(
            kind=kind,
            message=error.message,
            file=file,
            expected=error.expected,
            found=error.found,
            hint=error.hint,
        )


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, its root digest, what is wrong with it, and what it was trusted by."""

    folder: Path
    name: str
    root: str
    verdict: Verdict
    trusted_by: str
    findings: tuple[Finding, ...]
