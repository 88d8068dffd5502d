"""Model statistics: layers, parameters, and multiply-adds (MACs) of one inference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pipeline.model.convert.request import Interface

_NO_LAYERS = frozenset({"Constant", "Parameter", "Result"})
# Constants of these types are shapes, axes and indices.
_NO_PARAMETERS = frozenset({"i16", "i32", "i64", "u16", "u32", "u64", "boolean", "string"})
# Their multiply-adds cannot be counted by shapes alone.
_UNCOUNTED = frozenset(
    {
        "BinaryConvolution",
        "DeformableConvolution",
        "Einsum",
        "If",
        "Loop",
        "ScaledDotProductAttention",
        "TensorIterator",
    }
)


class ModelStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The statistics of a network.

    ``layers`` is the number of operations without constants, inputs and outputs; ``kinds`` counts
    them by type, most frequent first; ``parameters`` counts the elements of constants by element
    type. ``macs`` is the number of multiply-adds of convolutions, matrix products and recurrent
    cells for one inference with the fixture's shapes; ``uncounted`` has the types of operations
    whose multiply-adds are not included.
    """

    layers: int
    kinds: dict[str, int]
    parameters: dict[str, int]
    macs: int
    uncounted: tuple[str, ...]


def model_statistics(xml: Path, interface: Interface) -> ModelStatistics:
    """Compute the statistics of an IR with the shapes of ``interface``; raises RuntimeError."""
    import openvino

    model = openvino.Core().read_model(xml)
    model.reshape(
        {index: openvino.PartialShape(given.shape) for index, given in enumerate(interface.inputs)}
    )
    kinds: Counter[str] = Counter()
    parameters: Counter[str] = Counter()
    uncounted = set()
    macs = 0
    for op in model.get_ordered_ops():
        kind = op.get_type_name()
        if kind == "Constant":
            port = op.output(0)
            element = port.element_type.get_type_name()
            if element not in _NO_PARAMETERS:
                parameters[element] += math.prod(port.shape)
        if kind in _NO_LAYERS:
            continue
        kinds[kind] += 1
        if kind in _UNCOUNTED:
            uncounted.add(kind)
        elif kind in _MACS:
            try:
                macs += _MACS[kind](op)
            except RuntimeError:  # The shape depends on data.
                uncounted.add(kind)
    return ModelStatistics(
        layers=kinds.total(),
        kinds=dict(kinds.most_common()),
        parameters=dict(parameters.most_common()),
        macs=macs,
        uncounted=tuple(sorted(uncounted)),
    )


def _in(op: Any, index: int) -> list[int]:
    return list(op.input_value(index).shape)


def _out(op: Any) -> int:
    return math.prod(op.output(0).shape)


def _convolution(op: Any) -> int:
    # Weights: output channels, input channels, kernel.
    return _out(op) * math.prod(_in(op, 1)[1:])


def _group_convolution(op: Any) -> int:
    # Weights: groups, output channels and input channels per group, kernel.
    return _out(op) * math.prod(_in(op, 1)[2:])


def _backprop(op: Any) -> int:
    # Weights: input channels, output channels, kernel; all but the first apply to each input.
    return math.prod(_in(op, 0)) * math.prod(_in(op, 1)[1:])


def _group_backprop(op: Any) -> int:
    return math.prod(_in(op, 0)) * math.prod(_in(op, 1)[2:])


def _product(op: Any) -> int:
    left = _in(op, 0)
    if len(left) == 1:
        return _out(op) * left[0]
    return _out(op) * left[-2 if op.get_attributes()["transpose_a"] else -1]


def _cell(weights: int) -> Callable[[Any], int]:
    def macs(op: Any) -> int:
        # Every step of every sequence uses each weight of W and R once; X is batch × features.
        return _in(op, 0)[0] * sum(math.prod(_in(op, index)) for index in (weights, weights + 1))

    return macs


def _sequence(weights: int) -> Callable[[Any], int]:
    def macs(op: Any) -> int:
        # X is batch × steps × features.
        batch, steps, _ = _in(op, 0)
        one = sum(math.prod(_in(op, index)) for index in (weights, weights + 1))
        return batch * steps * one

    return macs


# By the operations' specification: the index of W among the inputs; R is the next.
_MACS: Mapping[str, Callable[[Any], int]] = {
    "Convolution": _convolution,
    "ConvolutionBackpropData": _backprop,
    "GroupConvolution": _group_convolution,
    "GroupConvolutionBackpropData": _group_backprop,
    "GRUCell": _cell(2),
    "GRUSequence": _sequence(3),
    "LSTMCell": _cell(3),
    "LSTMSequence": _sequence(4),
    "MatMul": _product,
    "RNNCell": _cell(2),
    "RNNSequence": _sequence(3),
}
