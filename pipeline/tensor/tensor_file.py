"""Read a tensor file: its spec, from its name and the manifest beside it, and its values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.element_types import ELEMENT_TYPES
from pipeline.errors import Code, PipelineError
from pipeline.tensor.element_values import as_floats
from pipeline.tensor.spec import TensorSpec, parse_file_name

_MOST_MANIFEST = 64 << 20


def spec_of(path: Path) -> TensorSpec:
    """Return the spec from a file's name, completed by the manifest beside it.

    Raises PipelineError (TENSOR) when the name has no spec.
    """
    _, _, spec = parse_file_name(path.name)
    return replace(spec, **_added(declared(path)))


def _added(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        added: dict[str, Any] = {key: entry[key] for key in ("layout", "range") if entry.get(key)}
        for key in ("mean", "scale"):
            added[key] = tuple(float(each) for each in entry.get(key, ()))
    except (TypeError, ValueError):
        return {}
    added["mean_image"] = bool(entry.get("mean_image"))
    return added if all(isinstance(added.get(key, ""), str) for key in ("layout", "range")) else {}


def declared(path: Path) -> dict[str, Any]:
    """Return the entry of a tensor in the manifest.json beside it, or an empty dict."""
    manifest = path.parent / "manifest.json"
    try:
        if manifest.stat().st_size > _MOST_MANIFEST:
            return {}
        cases = json.loads(manifest.read_bytes())["tensors"]
        entries = [entry for inputs in cases.values() for entry in inputs.values()]
        return next((dict(entry) for entry in entries if entry["file"] == path.name), {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def read_tensor(path: Path, spec: TensorSpec) -> Any:
    """Return the values of a raw file as floats, in the shape of its spec.

    Raises PipelineError (TENSOR) when its size does not match.
    """
    import numpy

    try:
        size = path.stat().st_size
        if size != spec.size:
            raise PipelineError(
                Code.TENSOR,
                "The file size does not match the tensor spec.",
                where=str(path),
                expected=f"{spec.size} bytes: {'x'.join(map(str, spec.dims))} of {spec.type}",
                found=f"{size} bytes",
            )
        array = numpy.fromfile(path, ELEMENT_TYPES[spec.type].dtype)
    except OSError as error:
        raise PipelineError(
            Code.TENSOR,
            "The tensor cannot be read.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None
    return as_floats(array, spec.type).reshape(spec.dims)
