"""Check the evidence beside a fixture: known files only, each with its digest, none executable."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from pipeline.cache.digest import Digest
from pipeline.cache.json_decoding import decode_json
from pipeline.errors import PipelineError, printable
from pipeline.model.convert.request import Port
from pipeline.publish.release.derived_files import CARD, FOUND
from pipeline.publish.release.evidence_card import evidence_card
from pipeline.publish.release.manifest_tables import MANIFEST_VERSION, Manifest
from pipeline.publish.release.release import EVIDENCE, Release, ReleasedFile
from pipeline.publish.validation.finding import Finding
from pipeline.publish.validation.png import is_png
from pipeline.publish.validation.read_manifest import MANIFEST
from pipeline.verify.descriptor import output_files, output_spec
from pipeline.verify.evidence import REPORT, Evidence
from pipeline.verify.onnx_data_set import tensor_proto

_MOST_REPORT = 16 << 20
_MOST_PICTURE = 16 << 20


def evidence(folder: Path, manifest: Manifest, there: Release) -> Iterator[Finding]:
    """Yield evidence of no case or no known kind, and what its report does not vouch for.

    Evidence is optional as a whole: it differs between machines, and no lock or key covers it.
    """
    top = folder / EVIDENCE
    if not top.is_dir():
        return
    yield from executable(folder, [file.path for file in there.evidence])
    for path in sorted(top.iterdir()):
        if path.name not in manifest.tensors and path.name != CARD:
            yield _undeclared(f"{EVIDENCE}/{path.name}", "The manifest has no case for this.")
    found = {file.path: file for file in there.evidence}
    # An interface without such files is reported with the outputs.
    with suppress(PipelineError):
        for case in manifest.tensors:
            yield from _case(folder, manifest, case, found)
    if manifest.manifest_version == MANIFEST_VERSION:
        yield from _card(folder, manifest, found)


def executable(folder: Path, names: list[str]) -> Iterator[Finding]:
    """Yield files that may be executed."""
    for name in names:
        if os.name != "nt" and (folder / name).lstat().st_mode & 0o111:
            yield Finding(
                kind="executable",
                message="The file is executable.",
                file=name,
                expected="data only, here",
                hint="Remove it if you do not know it; else: chmod -x",
            )


def _case(
    folder: Path, manifest: Manifest, case: str, found: Mapping[str, ReleasedFile]
) -> Iterator[Finding]:
    prefix = f"{EVIDENCE}/{case}/"
    files = {
        path.removeprefix(prefix): file for path, file in found.items() if path.startswith(prefix)
    }
    interface = manifest.model.interface.of_case(case)
    outputs = dict(zip(output_files(interface, case), interface.outputs, strict=True))
    numbers = range(len(interface.inputs))
    pictures = {f"input{n}.{kind}.png" for n in numbers for kind in ("source", "tensor")}
    protos = {f"test_data_set_0/input_{n}.pb" for n in numbers}
    protos |= {f"test_data_set_0/output_{n}.pb" for n in range(len(outputs))}
    for name in sorted(files.keys() - {REPORT, *outputs, *pictures, *protos}):
        yield _undeclared(prefix + name, "This is no evidence of a known kind.")
    for name in sorted(files.keys() & outputs.keys()):
        size = output_spec(outputs[name]).size
        if files[name].size != size:
            yield Finding(
                kind="evidence",
                message="The output that is kept has another size.",
                file=prefix + name,
                expected=f"{size} bytes",
                found=f"{files[name].size} bytes",
            )
    for name in sorted(files.keys() & pictures):
        if files[name].size > _MOST_PICTURE or not is_png((folder / prefix / name).read_bytes()):
            yield Finding(kind="evidence", message="This is no PNG image.", file=prefix + name)
    current = manifest.manifest_version == MANIFEST_VERSION
    for name, path, port in _protos(folder, manifest, case) if current else ():
        if name in files and path.is_file():
            made = Digest.of_bytes(tensor_proto(port, path.read_bytes()))
            if made.sha256 != files[name].sha256:
                yield _differs(prefix + name, made.sha256, files[name].sha256)
    yield from _reported(folder, manifest, case, files)


def _protos(folder: Path, manifest: Manifest, case: str) -> Iterator[tuple[str, Path, Port]]:
    """Yield each file of ONNX's data set, with the raw file that it is made from, and its port."""
    interface, tensors = manifest.model.interface.of_case(case), manifest.tensors[case]
    for number, port in enumerate(interface.inputs):
        for name in port.names:
            if name in tensors:
                yield f"test_data_set_0/input_{number}.pb", folder / tensors[name].file, port
    files = output_files(interface, case)
    for number, (port, file) in enumerate(zip(interface.outputs, files, strict=True)):
        yield f"test_data_set_0/output_{number}.pb", folder / EVIDENCE / case / file, port


def _reported(
    folder: Path, manifest: Manifest, case: str, files: Mapping[str, ReleasedFile]
) -> Iterator[Finding]:
    """Yield what is missing or other than the case's report states."""
    current = manifest.manifest_version == MANIFEST_VERSION
    where = f"{EVIDENCE}/{case}/{REPORT}"
    if REPORT not in files:
        if current:
            yield Finding(kind="missing", message="The case has no report.", file=where)
        return
    try:
        if files[REPORT].size > _MOST_REPORT:
            raise msgspec.ValidationError(f"{files[REPORT].size} bytes")
        report = decode_json((folder / where).read_bytes(), Evidence)
        if report.case != case:
            raise msgspec.ValidationError(f"the report of case {report.case}")
    except msgspec.DecodeError as error:
        if current:
            found = printable(str(error)[:200])
            yield Finding(kind="evidence", message="Invalid report.", file=where, found=found)
        return
    stated = {**report.files, **report.outputs}
    for name in sorted(stated.keys() | (files.keys() - {REPORT} if current else set())):
        path = f"{EVIDENCE}/{case}/{name}"
        if name not in files:
            yield Finding(kind="missing", message="A reported file is missing.", file=path)
        elif stated.get(name) != files[name].sha256:
            yield _differs(path, stated.get(name, "in report.json: none"), files[name].sha256)


def _card(folder: Path, manifest: Manifest, found: Mapping[str, ReleasedFile]) -> Iterator[Finding]:
    reports = {case: folder / EVIDENCE / case / REPORT for case in manifest.tensors}
    if FOUND not in found:
        yield Finding(kind="missing", message="The evidence's card is missing.", file=FOUND)
        return
    try:
        stated = (folder / MANIFEST).read_bytes()
        data = {case: path.read_bytes() for case, path in reports.items()}
        made = Digest.of_bytes(evidence_card(stated, data)).sha256
    # Keys that only people read may have any type; missing reports are reported elsewhere.
    except Exception as error:
        made = f"none, by {type(error).__name__}"
    if made != found[FOUND].sha256:
        yield _differs(FOUND, made, found[FOUND].sha256)


def _differs(file: str, expected: str, found: str) -> Finding:
    return Finding(
        kind="evidence",
        message="The file is not the one that the evidence states.",
        file=file,
        expected=f"sha256 {expected}",
        found=f"sha256 {found}",
        hint="Fetch the evidence again, or build it again.",
    )


def _undeclared(file: str, message: str) -> Finding:
    return Finding(kind="undeclared", message=message, file=file, hint="Remove it.")
