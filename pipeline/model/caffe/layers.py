"""Shape inference for a Caffe topology: the layers with weights, and the weights' shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.caffe.caffemodel import Shape, read_blobs
from pipeline.model.caffe.prototxt import Message, read_prototxt

_INPUTS = ("Input", "DummyData")
# Layers whose output has the shape of their input.
_SHAPELESS = [
    "ReLU",
    "PReLU",
    "ELU",
    "Sigmoid",
    "TanH",
    "AbsVal",
    "Power",
    "Exp",
    "Log",
    "BNLL",
    "Dropout",
    "LRN",
    "Softmax",
]
# Fields of convolutions that may be repeated, for each axis.
_PER_AXIS = ("kernel_size", "stride", "pad", "dilation")
_KEEP = frozenset([*_SHAPELESS, "BatchNorm", "Scale", "Bias", "Split"])


@dataclass(frozen=True)
class Weighted:
    """A layer with weights: its type and the shapes of its blobs, weights before biases."""

    kind: str
    shapes: tuple[Shape, ...]


def weighted_layers(topology: Path) -> dict[str, Weighted]:
    """Return the convolution and fully connected layers whose input shape is known.

    Sizes are computed as in Caffe: convolutions round down, poolings up. Raises PipelineError
    (MODEL).
    """
    net = read_prototxt(topology)
    if not net.messages("layer") and not net.messages("layers"):
        raise PipelineError(
            Code.MODEL,
            "The topology has no layers.",
            where=topology.name,
            hint="The topology is the prototxt, not the file of weights.",
        )
    try:
        tops = declared_shapes(net)
    except ValueError:
        raise PipelineError(
            Code.MODEL,
            "The prototxt declares an input with an invalid shape.",
            where=topology.name,
        ) from None
    found: dict[str, Weighted] = {}
    for layer in net.messages("layer"):
        try:
            _step(layer, tops, found)
        except (ValueError, ZeroDivisionError):
            raise PipelineError(
                Code.MODEL,
                f"The layer {layer.text('name')} of the prototxt has invalid sizes.",
                where=topology.name,
            ) from None
    return found


def check_weights(topology: Path, weights: Path) -> None:
    """Raise PipelineError (MODEL) unless the caffemodel matches the topology's layers.

    Shapes are compared by their number of elements, since older files use four dimensions.
    """
    blobs = read_blobs(weights)
    for name, layer in weighted_layers(topology).items():
        shapes = blobs.get(name, ())
        if len(shapes) < len(layer.shapes):
            raise _shape_mismatch(topology, weights, name, layer.shapes, shapes)
        for expected, given in zip(layer.shapes, shapes, strict=False):
            if math.prod(expected) != math.prod(given):
                raise _shape_mismatch(topology, weights, name, layer.shapes, shapes)


def check_repeated_fields(topology: Path) -> None:
    """Raise PipelineError (MODEL) for a field with different values for height and width.

    Caffe takes one value for each axis; Model Optimizer takes the first for both.
    """
    net = read_prototxt(topology)
    for layer in (*net.messages("layer"), *net.messages("layers")):
        for field in _PER_AXIS:
            values = layer.message("convolution_param").texts(field)
            if len(set(values)) > 1:
                stem = field.removesuffix("_size")
                raise PipelineError(
                    Code.MODEL,
                    f"Model Optimizer reads one {field} for both axes.",
                    where=f"{topology.name}: layer {layer.text('name')}",
                    found=" ".join(f"{field}: {value}" for value in values),
                    hint="Export the model in another format."
                    if field == "dilation"
                    else f"Write {stem}_h and {stem}_w instead.",
                )


def check_input_shapes(topology: Path) -> None:
    """Raise PipelineError (MODEL) for an input without a shape.

    Model Optimizer fails for one, whatever shape it is given.
    """
    net = read_prototxt(topology)
    declared = len(net.messages("input_shape")) + len(net.texts("input_dim")) // 4
    known = set(net.texts("input")[:declared])
    for layer in net.messages("layer"):
        if layer.message("input_param").messages("shape") or layer.text("type") == "DummyData":
            known.update(layer.texts("top"))
    for name in input_names(topology):
        if name not in known:
            raise PipelineError(
                Code.MODEL,
                f"The input {name} of the topology has no shape.",
                where=topology.name,
                expected="input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }",
                hint="Add the shape to the topology.",
            )


def input_names(topology: Path) -> list[str]:
    """Return the names of a topology's inputs; raises PipelineError (MODEL)."""
    net = read_prototxt(topology)
    layers = [layer for layer in net.messages("layer") if layer.text("type") in _INPUTS]
    return [*net.texts("input"), *(name for layer in layers for name in layer.texts("top"))]


def _step(layer: Message, tops: dict[str, Shape], found: dict[str, Weighted]) -> None:
    kind = layer.text("type")
    bottoms = [tops.get(name) for name in layer.texts("bottom")]
    names = layer.texts("top")
    if kind in _INPUTS:
        shapes = layer.message("input_param").messages("shape")
        for name, shape in zip(names, shapes, strict=False):
            tops[name] = shape.numbers("dim")
        return
    # After an unknown shape, all following shapes are unknown.
    first = bottoms[0] if bottoms else None
    made: Shape | None = None
    if first is None or None in bottoms:
        made = None
    elif kind == "Convolution" and len(first) == 4:
        param = layer.message("convolution_param")
        made = _windows(param, first, param.number("num_output", 0), math.floor)
        kernel = _size(param, "kernel", 0)
        weights: Shape = (made[1], first[1] // param.number("group", 1), *kernel)
        found[layer.text("name")] = Weighted(kind, _with_bias(param, weights))
    elif kind == "InnerProduct":
        param = layer.message("inner_product_param")
        count = param.number("num_output", 0)
        axis = param.number("axis", 1) % len(first)
        made = (*first[:axis], count)
        weights = (count, math.prod(first[axis:]))
        found[layer.text("name")] = Weighted(kind, _with_bias(param, weights))
    elif kind == "Pooling" and len(first) == 4:
        param = layer.message("pooling_param")
        if param.flag("global_pooling"):
            made = (*first[:2], 1, 1)
        else:
            down = not param.flag("ceil_mode", True) or param.text("round_mode") in ("FLOOR", "1")
            made = _windows(param, first, first[1], math.floor if down else math.ceil)
    elif kind == "Concat":
        known = [shape for shape in bottoms if shape is not None]
        axis = layer.message("concat_param").number("axis", 1) % len(first)
        made = (*first[:axis], sum(shape[axis] for shape in known), *first[axis + 1 :])
    elif kind == "Eltwise" or kind in _KEEP:
        made = first
    for name in names:
        if made is None:
            tops.pop(name, None)
        else:
            tops[name] = made


def _with_bias(param: Message, weights: Shape) -> tuple[Shape, ...]:
    return (weights,) if not param.flag("bias_term", True) else (weights, (weights[0],))


def _windows(param: Message, given: Shape, channels: int, rounded: Callable[[float], int]) -> Shape:
    kernel, stride, pad = (
        _size(param, *each) for each in (("kernel", 0), ("stride", 1), ("pad", 0))
    )
    dilation = param.number("dilation", 1)
    sizes = []
    for axis in (0, 1):
        reach = dilation * (kernel[axis] - 1) + 1
        size = rounded((given[2 + axis] + 2 * pad[axis] - reach) / stride[axis]) + 1
        # The last window of a padded pooling must start inside of the image.
        if pad[axis] and rounded is math.ceil:
            size -= (size - 1) * stride[axis] >= given[2 + axis] + pad[axis]
        sizes.append(size)
    return (given[0], channels, *sizes)


def _size(param: Message, name: str, default: int) -> tuple[int, int]:
    field = f"{name}_size" if name == "kernel" else name
    given = param.numbers(field) or (default,)
    return (
        param.number(f"{name}_h", given[0]),
        param.number(f"{name}_w", given[-1]),
    )


def declared_shapes(net: Message) -> dict[str, Shape]:
    """Return the shapes of inputs declared by fields of the net, as in older files.

    Raises ValueError.
    """
    names = net.texts("input")
    shapes = [shape.numbers("dim") for shape in net.messages("input_shape")]
    sizes = net.numbers("input_dim")
    shapes += [sizes[at : at + 4] for at in range(0, len(sizes), 4)]
    return dict(zip(names, shapes, strict=False))


def _shape_mismatch(
    topology: Path,
    weights: Path,
    layer: str,
    expected: tuple[Shape, ...],
    given: tuple[Shape, ...],
) -> PipelineError:
    def listed(shapes: tuple[Shape, ...]) -> str:
        return " and ".join("x".join(map(str, shape)) for shape in shapes) or "no weights"

    return PipelineError(
        Code.MODEL,
        f"The weights do not match the topology: layer {layer} has different shapes.",
        where=f"{topology.name}, {weights.name}",
        expected=listed(expected),
        found=listed(given),
        hint="Use the prototxt that the caffemodel was trained with.",
    )
