"""Script: read a model with OpenVINO and write its inputs, outputs, operations and weights."""

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openvino

_PRECISIONS = {
    "f32": ("f32",),
    "f16": ("f16",),
    "int8": ("i8", "u8"),
    "f64": ("f64",),
    "bf16": ("bf16",),
}


def main(payload: dict[str, Any]) -> None:
    """Write the properties of ``payload["model"]`` as JSON to ``payload["target"]``."""
    model = openvino.Core().read_model(payload["model"])
    operations = model.get_ops()
    kinds = Counter(op.get_type_name() for op in operations)
    weights: Counter[str] = Counter()
    for op in operations:
        if op.get_type_name() == "Constant":
            port = op.output(0)
            weights[port.element_type.get_type_name()] += math.prod(port.shape)
    found = {
        "inputs": [_port(port) for port in model.inputs],
        "outputs": [_port(port) for port in model.outputs],
        "operations": dict(kinds.most_common()),
        "opsets": sorted({op.get_type_info().version_id for op in operations}),
        "parameters": dict(weights.most_common()),
        "precision": _precision(weights, "FakeQuantize" in kinds),
    }
    Path(payload["target"]).write_text(json.dumps(found))


def _precision(weights: Mapping[str, int], quantised: bool) -> str:
    """Return the most frequent precision of the weights, int4 if any have 4 bits, or ''."""
    if weights.keys() & {"i4", "u4"}:
        return "int4"
    if quantised:
        return "int8"
    counted = {
        name: sum(weights.get(kind, 0) for kind in kinds) for name, kinds in _PRECISIONS.items()
    }
    return max(counted, key=lambda name: counted[name]) if any(counted.values()) else ""


def _port(port: Any) -> dict[str, str]:
    return {
        "name": ", ".join(sorted(port.names)) or port.node.friendly_name,
        "shape": str(port.partial_shape),
        "type": port.element_type.get_type_name(),
    }


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    # A name in invalid UTF-8 raises only when it is accessed.
    except (RuntimeError, UnicodeDecodeError) as error:
        sys.exit(str(error))
