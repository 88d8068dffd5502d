"""Inspect a tensor file: its spec, values and likely layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.cache.digest import Digest
from pipeline.tensor.layout_detector import declared_layout, detect_layout
from pipeline.tensor.tensor_file import read_tensor, spec_of


def inspect_tensor(path: Path) -> Mapping[str, Any]:
    """Return the spec, the range and the likely layout of a raw tensor named by its spec.

    Raises PipelineError (TENSOR) when the name has no spec, or the size does not match it.
    """
    import numpy

    spec = spec_of(path)
    values = read_tensor(path, spec)
    finite = values[numpy.isfinite(values)]
    claimed = declared_layout(spec.dims) if spec.colour != "GRAY" else None
    found: dict[str, Any] = {
        "format": "raw tensor",
        "spec": str(spec),
        "dims": "x".join(map(str, spec.dims)),
        "type": spec.type,
        "colour": spec.colour or "none",
        "size": spec.size,
        "sha256": Digest.of_file(path).sha256,
        "values": _range(finite),
        "not finite": int(values.size - finite.size),
        "layout by its name": spec.layout or claimed or "open",
    }
    if spec.colour is not None and spec.layout is None:
        found["note"] = (
            "The file name does not state the layout, and the dims may be misleading: "
            "a manifest.json beside the file can state it."
        )
    if claimed is None or finite.size != values.size:
        return found
    guess = detect_layout(values, claimed)
    found["layout by its bytes"] = guess.layout if guess.layout != claimed else f"as {claimed}"
    if guess.layout != claimed:
        found["warning"] = (
            f"The values look like {guess.layout}, but the name says {claimed}: as {claimed}, "
            f"neighbouring values differ {guess.ratio:.1f} times as much."
        )
    return found


def _range(values: Any) -> str:
    if not values.size:
        return "none"
    return f"{values.min():.6g} to {values.max():.6g}, mean {values.mean():.6g}"
