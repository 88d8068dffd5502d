"""Results of a validation: findings, and the verdict on a folder."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path

import msgspec

from pipeline.errors import PipelineError, printable_line


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
    """A folder, its root digest, its findings, and the reference that it was validated against.

    ``evidence`` has the SHA-256 of each file that no reference covers, by its path.
    """

    folder: Path
    name: str
    root: str
    verdict: ValidationVerdict
    trusted_by: str
    findings: tuple[Finding, ...]
    evidence: dict[str, str] = msgspec.field(default_factory=dict)


def cleaned(validation: Validation) -> Validation:
    """Return a validation whose texts, which a stranger's folder has, are safe to show anywhere."""
    return msgspec.structs.replace(
        validation,
        # As the first word of a line it must not be a command of GitHub Actions.
        folder=Path(re.sub(r"^(?=\s*(?:::|##\[))", "_", printable_line(str(validation.folder)))),
        name=printable_line(validation.name),
        trusted_by=printable_line(validation.trusted_by),
        findings=tuple(map(_cleaned, validation.findings)),
        evidence={printable_line(name): sha256 for name, sha256 in validation.evidence.items()},
    )


def _cleaned(finding: Finding) -> Finding:
    texts = {
        name: printable_line(value)
        for name, value in msgspec.structs.asdict(finding).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(finding, **texts)
