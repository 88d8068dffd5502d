"""A tensor's file: what its name and the manifest beside it say, and the numbers that it holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Code, PipelineError
from pipeline.tensor.numbers import DTYPES, as_floats
from pipeline.tensor.spec import TensorSpec, parse_file_name

_MOST_MANIFEST = 64 << 20


@dataclass(frozen=True)
class Treatment:
    """What was done to a picture's bytes: the range, then mean and scale in the order of colour."""

    range: str = "0-255"
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()


def spec_of(path: Path) -> TensorSpec:
    """Return the spec that a file's name tells, with the layout of the manifest beside it.

    Raises PipelineError (TENSOR) when the name tells none.
    """
    _, _, spec = parse_file_name(path.name)
    layout = declared(path).get("layout")
    return TensorSpec(spec.dims, spec.type, spec.colour, layout if layout else None)


def treatment_of(path: Path) -> Treatment | None:
    """Return how the manifest beside a file says that it was made, if it does."""
    entry = declared(path)
    if "range" not in entry:
        return None
    return Treatment(entry["range"], tuple(entry.get("mean", ())), tuple(entry.get("scale", ())))


def declared(path: Path) -> dict[str, Any]:
    """Return the entry of a tensor in the manifest.json beside it, empty where there is none."""
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
    """Return the numbers of a raw file as floats, of the shape of its spec.

    Raises PipelineError (TENSOR) when its size is another.
    """
    import numpy

    try:
        size = path.stat().st_size
        if size != spec.size:
            raise PipelineError(
                Code.TENSOR,
                "The file has another size than its tensor.",
                where=str(path),
                expected=f"{spec.size} bytes: {'x'.join(map(str, spec.dims))} of {spec.type}",
                found=f"{size} bytes",
            )
        array = numpy.fromfile(path, DTYPES[spec.type])
    except OSError as error:
        raise PipelineError(
            Code.TENSOR,
            "The tensor cannot be read.",
            where=str(path),
            found=error.strerror or str(error),
        ) from None
    return as_floats(array, spec.type).reshape(spec.dims)
