"""Inspect a model file: an IR, ONNX, TFLite, or a caffemodel."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.child_python.commands import program_command
from pipeline.errors import Code, PipelineError
from pipeline.execution.process import run_process
from pipeline.model.caffe.caffemodel import read_blobs
from pipeline.model.convert.converter_errors import unsupported_type
from pipeline.model.convert.external_data import check_external_data
from pipeline.model.convert.ovc import PROGRAMS
from pipeline.model.ir.canonical_digest import canonical_digest
from pipeline.model.ir.canonical_xml import weights_size
from pipeline.scratch import scratch_folder
from pipeline.telemetry import private_home

_SECONDS = 600.0


def inspect_ir(path: Path) -> Mapping[str, Any]:
    """Return the properties of an IR, and whether its xml and bin match.

    Raises PipelineError (MODEL) when they cannot be read.
    """
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise PipelineError(
            Code.MODEL,
            "The IR has no .bin beside its .xml.",
            where=str(path),
            expected=weights.name,
        )
    xml = path.read_bytes()
    try:
        expected, canonical = weights_size(xml), ""
    except ValueError as error:
        raise _unreadable(path, str(error)) from None
    size = weights.stat().st_size
    together = expected == size
    if together:
        try:
            canonical = canonical_digest(xml, weights)
        except ValueError as error:
            raise _unreadable(path, str(error)) from None
    found: dict[str, Any] = {
        "format": "OpenVINO IR",
        "xml": {"sha256": Digest.of_file(path).sha256, "size": len(xml)},
        "bin": {
            "sha256": Digest.of_file(weights).sha256,
            "size": size,
            "size in the xml": expected,
        },
        "belong together": together,
        "canonical digest": canonical,
    }
    return {**found, **_network(path)} if together else found


def inspect_network(path: Path) -> Mapping[str, Any]:
    """Return the properties of an ONNX or TFLite file, read by OpenVINO.

    Raises PipelineError (MODEL).
    """
    if path.suffix.lower() == ".onnx":
        check_external_data(path)
    return {
        "format": {".onnx": "ONNX", ".tflite": "TFLite"}[path.suffix.lower()],
        "file": _identity(path),
        **_network(path),
    }


def inspect_caffemodel(path: Path) -> Mapping[str, Any]:
    """Return the layers of a caffemodel that have weights; raises PipelineError (MODEL)."""
    blobs = {name: shapes for name, shapes in read_blobs(path).items() if shapes}
    return {
        "format": "Caffe weights",
        "file": _identity(path),
        "parameters": sum(math.prod(shape) for shapes in blobs.values() for shape in shapes),
        "layers": {name: ["x".join(map(str, s)) for s in shapes] for name, shapes in blobs.items()},
    }


def _network(path: Path) -> Mapping[str, Any]:
    """Return what OpenVINO reads in a model, in a process that the model cannot take along."""
    with scratch_folder() as folder:
        target = folder / "network.json"
        payload = {"model": str(path.absolute()), "target": str(target)}
        finished = run_process(
            program_command(PROGRAMS / "inspect_file.py", json.dumps(payload)),
            seconds=_SECONDS,
            cwd=folder,
            env=private_home(folder),
        )
        if finished.returncode < 0:
            raise _unreadable(path, f"OpenVINO crashed: signal {-finished.returncode}")
        if finished.returncode != 0 or not target.exists():
            raise _unreadable(path, finished.output)
        found: Mapping[str, Any] = json.loads(target.read_bytes())
    return found


def _identity(path: Path) -> Mapping[str, object]:
    digest = Digest.of_file(path)
    return {"sha256": digest.sha256, "size": digest.size}


def _unreadable(path: Path, found: str) -> PipelineError:
    if missing := unsupported_type(found):
        return PipelineError(
            Code.MODEL,
            "The model has a tensor of an element type that OpenVINO cannot read.",
            where=str(path),
            found=missing,
        )
    lines = [line for line in found.splitlines() if line.strip()]
    return PipelineError(
        Code.MODEL,
        "The model cannot be read.",
        where=str(path),
        detail="\n".join(lines[-6:])[-800:],
        hint="Check that the file is complete and has the right suffix.",
    )
