"""The shapes of the cases, where dynamic axes give them others than the model's inputs have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pipeline.config.input_rules import MOST_ELEMENTS
from pipeline.config.mistake import Mistake
from pipeline.config.model_tables import Model, ModelInput
from pipeline.config.tensor_tables import Tensor


def shape_of(tensor: Tensor, given: ModelInput) -> tuple[int, ...]:
    """Return the shape of a case's tensor for an input."""
    return tensor.shape or given.shape


def own_shapes(
    model: Model, cases: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, dict[str, list[int]]]:
    """Return the shapes of all inputs, in each case that has others than the model's inputs."""
    return {
        case: {name: list(shape_of(tensor, model.inputs[name])) for name, tensor in tensors.items()}
        for case, tensors in cases.items()
        if any(tensor.shape is not None for tensor in tensors.values())
    }


def check_shape(shape: tuple[int, ...], given: ModelInput) -> Iterator[Mistake]:
    """Yield why an input cannot have this shape in a case; paths are relative to its tensor."""
    if len(shape) != len(given.shape):
        message = "The shape has another number of axes than the input."
        yield Mistake(("shape",), message, str(len(given.shape)), str(len(shape)))
        return
    if math.prod(shape) > MOST_ELEMENTS:
        message = "The tensor exceeds the memory of any guest."
        yield Mistake(("shape",), message, "at most 2^30 elements", "x".join(map(str, shape)))
    bounds = given.bounds or tuple((size, size) for size in given.shape)
    if len(bounds) != len(shape):
        return
    for axis, (size, (low, high)) in enumerate(zip(shape, bounds, strict=True)):
        if not low <= size <= high:
            message = f"The size of axis {axis} is outside the input's bounds."
            expected = f"from {low} to {high}" if low < high else str(low)
            hint = "" if given.bounds else "Set bounds of the input to make its axes dynamic."
            yield Mistake(("shape",), message, expected, str(size), hint)
