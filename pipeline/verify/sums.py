"""Find the longest average of a network, whose rounding error moving the inputs does not show."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

_REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceLogSum")


def longest_average(xml: Path, shapes: Sequence[Sequence[int]]) -> int:
    """Return the number of terms of the longest average or sum in an IR, for inputs of ``shapes``.

    Similar terms are rounded in the same direction, so the errors of a sequential sum add up
    instead of cancelling out (Higham, Accuracy and Stability of Numerical Algorithms, 4.2), and
    they do so for every nearby input.
    """
    import openvino

    model = openvino.Core().read_model(xml)
    if model.is_dynamic():
        model.reshape(dict(enumerate(openvino.PartialShape(list(shape)) for shape in shapes)))
    found = 1
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind == "AvgPool":
            found = max(found, prod(node.get_attributes()["kernel"]))
        elif kind in _REDUCTIONS:
            given, made = node.get_input_partial_shape(0), node.get_output_partial_shape(0)
            if given.is_static and made.is_static:
                terms = prod(given.to_shape()) // max(1, prod(made.to_shape()))
                found = max(found, terms)
    return found
