"""Validate a folder of fixtures: each of them, and what a lock expects there."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.execution.bounded_call import BoundedCalls
from pipeline.publish.release.lock_file import Lock, LockedKit
from pipeline.publish.release.release import SUMS, release_of
from pipeline.publish.validation.finding import Finding, Validation, ValidationVerdict
from pipeline.publish.validation.read_manifest import MANIFEST
from pipeline.publish.validation.validate_bounded import validate_bounded
from pipeline.publish.validation.validate_fixture import validate

# The name of the conformance kit, and a file that only it has.
_KIT, _KIT_FILE = "conformance", "kit.json"
# A folder that has one of these was a fixture.
_MARKS = (MANIFEST, SUMS, "fixture.txt")


def validate_folders(
    folder: Path,
    *,
    calls: BoundedCalls,
    expect: str = "",
    lock: Lock | None = None,
    key: Path | None = None,
    signature: Path | None = None,
    run: bool = True,
) -> list[Validation]:
    """Return the validations of a fixture's folder, or of each in a folder of fixtures.

    Each is validated by one of ``calls``. With a lock or a key every folder there has to be a
    fixture, and with a lock none of its fixtures may be absent. Raises PipelineError (USAGE).
    """
    folders, absent = _fixtures(folder, lock, trusted=lock is not None or key is not None)
    validations = [
        validate_bounded(calls, validate_kit, each, locked=lock.conformance)
        if lock and each != folder and _is_kit(each)
        else validate_bounded(
            calls,
            validate,
            each,
            expect=expect,
            lock=lock.fixtures if lock else None,
            key=key,
            signature=signature,
            run=run,
        )
        for each in folders
    ]
    return [*validations, *(_absent(each) for each in absent)]


def _fixtures(folder: Path, lock: Lock | None, *, trusted: bool) -> tuple[list[Path], list[Path]]:
    """Return the folders to validate, and those of the lock that are not there."""
    if (folder / MANIFEST).exists() or not folder.is_dir():
        return [folder], []
    below = sorted(path for path in folder.glob("[!.]*") if path.is_dir())
    fixtures = [path for path in below if trusted or any((path / mark).exists() for mark in _MARKS)]
    if not any((path / mark).exists() for path in fixtures for mark in _MARKS):
        return [folder], []
    absent = (lock.fixtures.keys() if lock else set()) - {path.name for path in fixtures}
    return fixtures, [folder / name for name in sorted(absent)]


def _is_kit(folder: Path) -> bool:
    return folder.name == _KIT and (folder / _KIT_FILE).is_file()


def validate_kit(folder: Path, *, locked: LockedKit | None) -> Validation:
    """Return whether the conformance kit, which has no manifest, is the locked one."""
    root, findings = "", []
    try:
        root = release_of(folder, "0").digest
    except PipelineError as error:
        findings.append(Finding.of("name", Path(error.where).name, error))
    if locked is None or root != locked.digest:
        expected = locked.digest if locked else "no kit; the lock has none"
        findings.append(
            Finding(
                kind="lock",
                message="The kit does not match the lock.",
                file=_KIT_FILE,
                expected=expected,
                found=root,
                hint="Write it again: doit kit",
            )
        )
    verdict = ValidationVerdict.INVALID if findings else ValidationVerdict.VALID
    return Validation(
        folder=folder,
        name=_KIT,
        root=root,
        verdict=verdict,
        trusted_by="the lock",
        findings=tuple(findings),
    )


def _absent(folder: Path) -> Validation:
    finding = Finding(
        kind="missing",
        message="The lock has this fixture, and it is not there.",
        file=MANIFEST,
        hint="Validate the folders that you have one by one, or fetch it.",
    )
    return Validation(
        folder=folder,
        name=folder.name,
        root="",
        verdict=ValidationVerdict.INVALID,
        trusted_by="the lock",
        findings=(finding,),
    )
