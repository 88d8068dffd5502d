"""Inputs from a seed for a model that nothing else is known of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.config.model_tables import Model, ModelInput
from pipeline.errors import Code, PipelineError
from pipeline.model.convert.programs.channel_layout import channel_layout
from pipeline.model.ir.input_aliases import without_alias
from pipeline.verify.bfloat16 import BF16, in_bf16

_SEED = 1
# Sizes of dynamic axes after the first, in the order in which they are tried.
_SIZES = (64, 224, 16)
_SIGNED, _POSITIVE = (-1.0, 1.0), (0.1, 1.0)
_RANGES: Mapping[str, tuple[int, int]] = {
    "u8": (0, 255),
    "i8": (-128, 127),
    "i16": (-1000, 1000),
    "u16": (0, 1000),
}
_MOST_ELEMENTS = 1 << 28


def name_of(port: Any, index: int | None = None) -> str:
    """Return the name of an IR's output, or its input at ``index``, that its framework knows.

    A TensorFlow tensor has the name of its signature, and one with :0. The index of an input is a
    further name of it in the IR alone.
    """
    names = without_alias(port.names, index) or {port.node.friendly_name}
    found: str = min(names, key=lambda name: (":" in name, len(name), name))
    return found


def declared_inputs(network: Any, model: Model) -> dict[str, ModelInput]:
    """Return the inputs of an IR in order, with the preprocessing that ``model`` declares."""
    found = {}
    for index, port in enumerate(network.inputs):
        name = next((name for name in port.names if name in model.inputs), "*")
        given = model.inputs.get(name, ModelInput(shape=()))
        shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.partial_shape)
        counts = {len(given.mean), len(given.scale)} - {0, 1}
        if not given.model_layout and (counts or given.reverse_channels):
            layout = channel_layout(shape, 3 if given.reverse_channels else min(counts))
            given = msgspec.structs.replace(given, model_layout=layout)
        found[name_of(port, index) if name == "*" else name] = given
    return found


def seeded_inputs(network: Any, declared: Mapping[str, ModelInput]) -> Iterator[dict[str, Any]]:
    """Yield sets of arrays for an IR's inputs; further ones if a model does not accept the first.

    Raises PipelineError (VERIFY) for an element type that NumPy does not have, or a large input.
    """
    dynamic = any(port.partial_shape.is_dynamic for port in network.inputs)
    tried = [(size, _SIGNED) for size in (_SIZES if dynamic else _SIZES[:1])]
    for size, span in [*tried, (_SIZES[0], _POSITIVE)]:
        import numpy

        generator = numpy.random.default_rng(_SEED)
        yield {
            name: _array(port, given, size, span, generator)
            for (name, given), port in zip(declared.items(), network.inputs, strict=True)
        }


def _array(
    port: Any, given: ModelInput, size: int, span: tuple[float, float], generator: Any
) -> Any:
    from pipeline.model.convert.programs.introspect_file import table_rows

    kind = port.element_type.get_type_name()
    try:
        dtype = port.element_type.to_dtype()
    except (RuntimeError, TypeError):
        dtype = None
    shape = _shape(port, size)
    if dtype is None or dtype.kind not in "fiub" or math.prod(shape) > _MOST_ELEMENTS:
        raise PipelineError(
            Code.VERIFY,
            f"Cannot make a seeded input for {port.node.friendly_name}",
            found=f"{kind} {list(shape)}",
        )
    if dtype.kind == "f":
        low, high = _pixels(given, span)
        values = generator.uniform(low, high, shape)
        # OpenVINO says that NumPy's type for it was f16.
        return in_bf16(values) if kind == BF16 else values.astype(dtype)
    low, high = _RANGES.get(kind, (0, (table_rows(port, 0) or 2) - 1))
    return generator.integers(low, high, shape, endpoint=True).astype(dtype)


def _shape(port: Any, size: int) -> tuple[int, ...]:
    """Return the sizes of all axes: 1 for a dynamic first one, ``size`` for others, if allowed."""
    if port.partial_shape.rank.is_dynamic:
        return (1, 3, size, size)
    found = []
    for axis, own in enumerate(port.partial_shape):
        wanted = 1 if axis == 0 else size
        highest = own.get_max_length()
        wanted = max(wanted, own.get_min_length())
        found.append(min(wanted, highest) if highest >= 0 else wanted)
    return tuple(found)


def _pixels(given: ModelInput, span: tuple[float, float]) -> tuple[float, float]:
    """Return the range whose values are in ``span`` after mean and scale."""
    means, scales = given.mean or (0.0,), given.scale or (1.0,)
    low, high = span
    return min(means) + low * max(scales), max(means) + high * max(scales)
