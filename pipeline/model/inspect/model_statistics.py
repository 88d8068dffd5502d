"""Model statistics: layers by type, and parameters by element type."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import msgspec

_NO_LAYERS = frozenset({"Constant", "Parameter", "Result"})
# Constants of these types are shapes, axes and indices.
_NO_PARAMETERS = frozenset({"i16", "i32", "i64", "u16", "u32", "u64", "boolean", "string"})


class ModelStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics of a network.

    ``layers`` is the number of operations without constants, inputs and outputs; ``kinds`` counts
    them by type, most frequent first; ``parameters`` counts the elements of constants by element
    type.
    """

    layers: int
    kinds: dict[str, int]
    parameters: dict[str, int]


def model_statistics(xml: Path) -> ModelStatistics:
    """Compute the statistics of an IR; raises RuntimeError."""
    import openvino

    kinds: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    for op in openvino.Core().read_model(xml).get_ordered_ops():
        kind = op.get_type_name()
        if kind == "Constant":
            port = op.output(0)
            element = port.element_type.get_type_name()
            if element not in _NO_PARAMETERS:
                parameters[element] += math.prod(port.shape)
        elif kind not in _NO_LAYERS:
            kinds[kind] += 1
    return ModelStatistics(
        layers=kinds.total(),
        kinds=dict(kinds.most_common()),
        parameters=dict(parameters.most_common()),
    )
