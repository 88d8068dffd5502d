"""A fixture's folder edited by somebody who means to deceive: all that is derived follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.publish.release.derived_files import FOUND, derived_files
from pipeline.publish.release.evidence_card import evidence_card
from pipeline.publish.release.release import release_of
from pipeline.publish.validation.read_manifest import read_manifest
from pipeline.verify.descriptor import output_files
from pipeline.verify.onnx_data_set import tensor_proto


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit the manifest, and with it what is derived from it."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    try:
        for name, data in derived_files(path.read_bytes()).items():
            (folder / name).write_bytes(data)
    except (LookupError, TypeError):
        # Nothing can be derived from some of them.
        restate_sums(folder)


def restate_sums(folder: Path) -> None:
    """Write SHA256SUMS as the files are."""
    (folder / "SHA256SUMS").write_bytes(release_of(folder, "0").sums())


def restate_evidence(folder: Path) -> None:
    """Write the data sets, the reports and the card as the outputs are."""
    manifest = read_manifest(folder)
    interface = manifest.model.interface
    reports = {}
    for case in manifest.tensors:
        place = folder / "evidence" / case
        report = json.loads((place / "report.json").read_bytes())
        for number, (port, file) in enumerate(
            zip(interface.outputs, output_files(interface, case), strict=True)
        ):
            proto = tensor_proto(port, (place / file).read_bytes())
            (place / f"test_data_set_0/output_{number}.pb").write_bytes(proto)
        for table in (report["files"], report["outputs"]):
            table.update({name: Digest.of_file(place / name).sha256 for name in table})
        (place / "report.json").write_text(json.dumps(report))
        reports[case] = (place / "report.json").read_bytes()
    stated = (folder / "manifest.json").read_bytes()
    (folder / FOUND).write_bytes(evidence_card(stated, reports))
