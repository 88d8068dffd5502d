"""Inspect a model file: an IR, ONNX, TFLite, or a caffemodel."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cache.digest import Digest
from pipeline.errors import Code, PipelineError
from pipeline.model.caffe.caffemodel import read_blobs
from pipeline.model.ir.canonical_digest import canonical_digest
from pipeline.model.ir.canonical_xml import weights_size

if TYPE_CHECKING:
    from openvino import Model

_PRECISIONS = {"f32": "f32", "f16": "f16", "int8": "i8", "f64": "f64", "bf16": "bf16"}


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
    import openvino

    try:
        return _shown(openvino.Core().read_model(path))
    # A name in invalid UTF-8 raises only when it is accessed.
    except (RuntimeError, UnicodeDecodeError) as error:
        raise _unreadable(path, str(error)) from None


def _shown(model: Model) -> Mapping[str, Any]:
    operations = model.get_ops()
    constants = [op.output(0) for op in operations if op.get_type_name() == "Constant"]
    weights: Counter[str] = Counter()
    for port in constants:
        weights[port.element_type.get_type_name()] += math.prod(port.shape)
    return {
        "inputs": [_port(port) for port in model.inputs],
        "outputs": [_port(port) for port in model.outputs],
        "operations": dict(Counter(op.get_type_name() for op in operations).most_common()),
        "opsets": sorted({op.get_type_info().version_id for op in operations}),
        "parameters": dict(weights.most_common()),
        "precision": _precision(
            weights, "FakeQuantize" in {op.get_type_name() for op in operations}
        ),
    }


def _precision(weights: Mapping[str, int], quantised: bool) -> str:
    """Return the most frequent precision of the weights, or ''."""
    if quantised:
        return "int8"
    counted = {name: weights.get(kind, 0) for name, kind in _PRECISIONS.items()}
    return max(counted, key=lambda name: counted[name]) if any(counted.values()) else ""


def _port(port: Any) -> Mapping[str, str]:
    return {
        "name": ", ".join(sorted(port.names)) or port.node.friendly_name,
        "shape": str(port.partial_shape),
        "type": port.element_type.get_type_name(),
    }


def _identity(path: Path) -> Mapping[str, object]:
    digest = Digest.of_file(path)
    return {"sha256": digest.sha256, "size": digest.size}


def _unreadable(path: Path, found: str) -> PipelineError:
    lines = [line for line in found.splitlines() if line.strip()]
    return PipelineError(
        Code.MODEL,
        "The model cannot be read.",
        where=str(path),
        detail="\n".join(lines[-6:])[-800:],
        hint="Check that the file is complete and has the right suffix.",
    )
