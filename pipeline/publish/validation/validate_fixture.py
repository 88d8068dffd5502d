"""Validate a fixture's folder: all checks, and the trusted references."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.publish.release.lock_file import Locked
from pipeline.publish.release.manifest_tables import Stated
from pipeline.publish.release.release import SIGNATURE, Release, release_of
from pipeline.publish.validation import check_files, check_parts
from pipeline.publish.validation.finding import Finding, Validation, Verdict
from pipeline.publish.validation.read_manifest import MANIFEST, read_manifest
from pipeline.publish.validation.reverify import rerun


def validate(
    folder: Path,
    *,
    expect: str = "",
    lock: Mapping[str, Locked] | None = None,
    key: Path | None = None,
    signature: Path | None = None,
    run: bool = True,
) -> Validation:
    """Return the validation of a folder.

    It is valid only against a trusted reference: its root digest ``expect``, a public ``key`` that
    made its ``signature`` (default: its model.sig), or a ``lock`` that has the fixture. All given
    ones must match. With ``run``, the inference is run again if all files are correct: nothing is
    executed from a folder that does not match its manifest. Raises PipelineError (USAGE) if there
    is no folder, or the key is invalid.
    """
    if not folder.is_dir():
        raise PipelineError(
            Code.USAGE,
            "No folder to validate.",
            where=str(folder),
            expected="a folder with a manifest.json",
        )
    if oversized := _oversized(folder):
        return _told(folder, folder.name, "", "", oversized)
    try:
        there = release_of(folder, "0")
    except PipelineError as error:
        finding = Finding.of("name", Path(error.where).name, error)
        return _told(folder, folder.name, "", "", [finding])
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot read the folder.",
            where=str(error.filename or folder),
            found=error.strerror or str(error),
        ) from None
    try:
        stated = read_manifest(folder)
    except PipelineError as error:
        return _told(folder, folder.name, there.root, "", [Finding.of("manifest", MANIFEST, error)])
    findings = list(_checked(folder, stated, there))
    trusted, more = _trust(stated, there, expect, lock)
    findings += more
    if key is not None:
        trusted = " and ".join(filter(None, (trusted, f"the key {key.name}")))
        findings += _signature(folder, key, signature)
    if run and not findings:
        with tempfile.TemporaryDirectory(prefix="wasi-nn-", ignore_cleanup_errors=True) as scratch:
            findings += rerun(folder, stated, Path(scratch))
    return _told(folder, stated.name, there.root, trusted, findings)


def _oversized(folder: Path) -> list[Finding]:
    """Return the files that are too large to hash."""
    try:
        return list(check_files.oversized(folder, read_manifest(folder)))
    except (OSError, PipelineError):
        # Other errors of the folder are reported by later checks.
        return []


def _checked(folder: Path, stated: Stated, there: Release) -> list[Finding]:
    return [
        *check_files.against_manifest(folder, stated, there),
        *check_files.companions(folder, stated, there),
        *check_files.against_sums(folder, there),
        *check_files.against_evidence(folder, stated),
        *check_parts.ir(folder, stated),
        *check_parts.tensors(folder, stated),
        *check_parts.guest(folder, stated),
        *check_parts.sources(stated),
        *check_parts.outputs(stated),
        *check_parts.steps(stated),
    ]


def _trust(
    stated: Stated, there: Release, expect: str, lock: Mapping[str, Locked] | None
) -> tuple[str, list[Finding]]:
    """Return the trusted references, and the findings where the folder does not match them."""
    by, findings = [], []
    if expect:
        by.append(expect)
        if there.root != expect:
            finding = Finding(
                kind="root",
                message="The folder does not have the expected root digest.",
                file=MANIFEST,
                expected=expect,
                found=there.root,
            )
            findings.append(finding)
    if lock is not None and stated.name in lock:
        by.append("the lock")
        findings += check_files.against_lock(lock[stated.name], there)
    return " and ".join(by), findings


def _signature(folder: Path, key: Path, signature: Path | None) -> list[Finding]:
    from pipeline.publish.release.signing import check_signature

    if why := check_signature(folder, key, signature):
        return [
            Finding(
                kind="signature",
                message="Signature verification failed.",
                file=(signature or folder / SIGNATURE).name,
                expected=f"a signature over these files, made with the private key of {key.name}",
                found=why,
            )
        ]
    return []


def _told(folder: Path, name: str, root: str, trusted: str, findings: list[Finding]) -> Validation:
    verdict = Verdict.VALID if trusted else Verdict.CONSISTENT
    return Validation(
        folder=folder,
        name=name,
        root=root,
        verdict=Verdict.INVALID if findings else verdict,
        trusted_by=trusted,
        findings=tuple(findings),
    )
