"""bf16 in OpenVINO, which has no NumPy type for it and computes it in f32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.tensor.element_values import as_floats, as_type

BF16 = "bf16"


def as_tensor(array: Any, port: Any) -> Any:
    """Return an array as a tensor for an input; for one of bf16, floats are rounded to it."""
    import numpy
    import openvino

    if port.element_type.get_type_name() != BF16:
        return openvino.Tensor(numpy.ascontiguousarray(array))
    # Bits of two bytes: OpenVINO takes bf16 from an array of f16.
    bits = as_type(array, BF16)[0].view(numpy.float16)
    return openvino.Tensor(bits, array.shape, openvino.Type.bf16)


def as_array(tensor: Any) -> Any:
    """Return a copy of a tensor as an array; one of bf16 in float32."""
    import numpy

    if tensor.element_type.get_type_name() != BF16:
        return tensor.data.copy()
    return as_floats(tensor.data.view(numpy.uint16), BF16)


def in_bf16(array: Any) -> Any:
    """Return floats rounded to bf16, in float32.

    >>> import numpy
    >>> in_bf16(numpy.array([0.1], numpy.float32)).tolist()
    [0.10009765625]
    """
    return as_floats(as_type(array, BF16)[0], BF16)


def rounds_to_bf16(xml: Path) -> bool:
    """Return whether a model rounds inputs or what it computes to bf16, as its IR shows.

    Weights of bf16 are no rounding.
    """
    if not _names_bf16(xml):
        return False
    return any(
        port.element_type.get_type_name() == BF16
        for node in _network(xml).get_ops()
        if node.get_type_name() in ("Parameter", "Convert")
        for port in node.outputs()
    )


def outputs_in_bf16(xml: Path) -> Sequence[bool]:
    """Return which outputs of an IR are bf16 in its source, whatever type carries them here."""
    if not _names_bf16(xml):
        return ()
    found = []
    for result in _network(xml).get_results():
        port = result.input_value(0)
        if port.get_node().get_type_name() == "Convert":
            port = port.get_node().input_value(0)
        kinds = {result.get_element_type().get_type_name(), port.element_type.get_type_name()}
        found.append(BF16 in kinds)
    return found


def _names_bf16(xml: Path) -> bool:
    return b'"bf16"' in xml.read_bytes()


def _network(xml: Path) -> Any:
    import openvino

    return openvino.Core().read_model(xml)
