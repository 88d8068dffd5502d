"""Results of a validation: findings, and the verdict on a folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError


class ValidationVerdict(StrEnum):
    """The verdict on a folder.

    Without a trusted reference, a manifest and its sums may have been edited together: then the
    folder is only consistent.
    """

    VALID = "valid"
    CONSISTENT = "consistent, origin unknown"
    INVALID = "invalid"
    UNCHECKED = "could not be checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One error: ``kind`` is stable; ``file`` is in the folder, ``line`` in the manifest."""

    kind: str
    message: str
    file: str
    line: int | None = None
    expected: str = ""
    found: str = ""
    hint: str = ""

    @classmethod
    def of(cls, kind: str, file: str, error: PipelineError) -> Finding:
        """Return a finding with the fields of an error."""
        return cls(
            kind=kind,
            message=error.message,
            file=file,
            expected=error.expected,
            found=error.found,
            hint=error.hint,
        )


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, its root digest, its findings, and the reference that it was validated against."""

    folder: Path
    name: str
    root: str
    verdict: ValidationVerdict
    trusted_by: str
    findings: tuple[Finding, ...]
