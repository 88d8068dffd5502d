"""Validate a fixture's folder: all checks, and the trusted references."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipeline.errors import Code, PipelineError
from pipeline.publish.release.lock_file import LockedFixture
from pipeline.publish.release.manifest_tables import Manifest
from pipeline.publish.release.release import SIGNATURE, Release, release_of
from pipeline.publish.validation import check_files, check_parts
from pipeline.publish.validation.check_datasets import datasets
from pipeline.publish.validation.check_derived import derived
from pipeline.publish.validation.check_evidence import evidence
from pipeline.publish.validation.check_lock import against_lock
from pipeline.publish.validation.finding import Finding, Validation, ValidationVerdict
from pipeline.publish.validation.read_manifest import MANIFEST, read_manifest
from pipeline.publish.validation.reverify import reverify
from pipeline.scratch import scratch_folder

_MOST_FINDINGS = 1000


def validate(
    folder: Path,
    *,
    expect: str = "",
    lock: Mapping[str, LockedFixture] | None = None,
    key: Path | None = None,
    signature: Path | None = None,
    run: bool = True,
) -> Validation:
    """Return the validation of a folder.

    It is valid only against a trusted reference: its root digest ``expect``, a public ``key`` that
    made its ``signature`` (default: its model.sig), or a ``lock``. All given ones must match, and
    with a lock or a key the folder must have the fixture's name. With ``run``, the inference is run
    again if all files are correct: nothing is executed from a folder that does not match its
    manifest. Raises PipelineError (USAGE) if there is no folder, or the key is invalid.
    """
    if not folder.is_dir():
        raise PipelineError(
            Code.USAGE,
            "No folder to validate.",
            where=str(folder),
            expected="a folder with a manifest.json",
        )
    if oversized := _oversized(folder):
        return _validation(folder, folder.name, "", "", oversized)
    try:
        there = release_of(folder, "0")
    except PipelineError as error:
        finding = Finding.of("name", Path(error.where).name, error)
        return _validation(folder, folder.name, "", "", [finding])
    except OSError as error:
        raise PipelineError(
            Code.STORAGE,
            "Cannot read the folder.",
            where=str(error.filename or folder),
            found=error.strerror or str(error),
        ) from None
    try:
        manifest = read_manifest(folder)
    except PipelineError as error:
        return _validation(
            folder, folder.name, there.digest, "", [Finding.of("manifest", MANIFEST, error)]
        )
    findings = list(_checked(folder, manifest, there))
    trusted, more = _trust(folder, manifest, there, expect, lock)
    findings += more
    if key is not None:
        trusted = " and ".join(filter(None, (trusted, f"the key {key.name}")))
        findings += _signature(folder, manifest.name, key, signature)
    # A lock and a key tell which of their fixtures it is by its name alone.
    if (lock is not None or key is not None) and folder.resolve().name != manifest.name:
        findings.append(
            Finding(
                kind="name",
                message="The folder does not have the fixture's name.",
                file=MANIFEST,
                expected=folder.resolve().name,
                found=manifest.name,
            )
        )
    if run and not findings:
        with scratch_folder() as scratch:
            findings += reverify(folder, manifest, scratch)
    validation = _validation(folder, manifest.name, there.digest, trusted, findings)
    digests = {file.path: file.sha256 for file in there.evidence}
    return msgspec.structs.replace(validation, evidence=digests)


def _oversized(folder: Path) -> list[Finding]:
    """Return the files that are too large to hash."""
    try:
        return list(check_files.oversized(folder, read_manifest(folder)))
    except (OSError, PipelineError):
        # Other errors of the folder are reported by later checks.
        return []


def _checked(folder: Path, manifest: Manifest, there: Release) -> list[Finding]:
    return [
        *check_files.against_manifest(folder, manifest, there),
        *derived(folder, manifest, there),
        *check_files.against_sums(folder, there),
        *evidence(folder, manifest, there),
        *datasets(folder, manifest.name),
        *check_parts.ir(folder, manifest),
        *check_parts.tensors(folder, manifest),
        *check_parts.guest(folder, manifest),
        *check_parts.sources(manifest),
        *check_parts.inputs(manifest),
        *check_parts.outputs(manifest),
        *check_parts.steps(manifest),
    ]


def _trust(
    folder: Path,
    manifest: Manifest,
    there: Release,
    expect: str,
    lock: Mapping[str, LockedFixture] | None,
) -> tuple[str, list[Finding]]:
    """Return the trusted references, and the findings where the folder does not match them."""
    by, findings = [], []
    if expect:
        by.append(expect)
        if there.digest != expect:
            finding = Finding(
                kind="root",
                message="The folder does not have the expected root digest.",
                file=MANIFEST,
                expected=expect,
                found=there.digest,
            )
            findings.append(finding)
    if lock is not None:
        by.append("the lock")
        findings += against_lock(lock, folder, manifest, there)
    return " and ".join(by), findings


def _signature(folder: Path, name: str, key: Path, signature: Path | None) -> list[Finding]:
    from pipeline.publish.release.signing import check_signature

    why = check_signature(folder, key, signature, name=name)
    if not why:
        return []
    unsigned = signature is None and not os.path.lexists(folder / SIGNATURE)
    return [
        Finding(
            kind="signature",
            message="The folder is not signed." if unsigned else "Signature verification failed.",
            file=(signature or folder / SIGNATURE).name,
            expected=f"a signature over these files, made with the private key of {key.name}",
            found=why,
            hint="Fetch a signed release, or give the file with --signature." if unsigned else "",
        )
    ]


def _validation(
    folder: Path, name: str, root: str, trusted: str, findings: list[Finding]
) -> Validation:
    if len(findings) > _MOST_FINDINGS:
        more = Finding(
            kind="more",
            message=f"{len(findings) - _MOST_FINDINGS} further findings are not listed.",
            file=folder.name,
        )
        findings = [*findings[:_MOST_FINDINGS], more]
    verdict = ValidationVerdict.VALID if trusted else ValidationVerdict.CONSISTENT
    return Validation(
        folder=folder,
        name=name,
        root=root,
        verdict=ValidationVerdict.INVALID if findings else verdict,
        trusted_by=trusted,
        findings=tuple(findings),
    )
