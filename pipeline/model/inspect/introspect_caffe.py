"""Inspect a Caffe topology: its declared inputs and its output layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.errors import Code, PipelineError
from pipeline.model.caffe.layers import check_weights, declared_shapes
from pipeline.model.caffe.prototxt import Message, read_prototxt
from pipeline.model.inspect.model_interface import ModelInterface, PreprocessingStep, TensorInfo

# Layers that read training data; topologies for inference have inputs instead.
_TRAINING = frozenset(
    {"Data", "ImageData", "HDF5Data", "WindowData", "MemoryData", "AnnotatedData"}
)


def introspect_caffe(files: Mapping[str, Path]) -> ModelInterface:
    """Return the outline of ``topology``, whose ``weights`` must match.

    Raises PipelineError (MODEL).
    """
    topology = files["topology"]
    check_weights(topology, files["weights"])
    net = read_prototxt(topology)
    layers = net.messages("layer") or net.messages("layers")
    if training := next((each for each in layers if each.text("type") in _TRAINING), None):
        raise PipelineError(
            Code.MODEL,
            "The topology is for training.",
            where=f"{topology.name}, layer {training.text('name')}",
            expected="a topology with an input, often called deploy.prototxt",
            found=f"a layer of type {training.text('type')}",
        )
    try:
        shapes = _inputs(net, layers)
    except ValueError:
        raise PipelineError(
            Code.MODEL,
            "The prototxt declares an input with an invalid shape.",
            where=topology.name,
        ) from None
    if not shapes:
        raise PipelineError(
            Code.MODEL,
            "The topology declares no input.",
            where=topology.name,
            expected='input: "data", or a layer of type "Input"',
        )
    return ModelInterface(
        inputs=tuple(
            TensorInfo(name=name, type="f32", shape=shape, steps=_steps(name, layers))
            for name, shape in shapes.items()
        ),
        outputs=tuple(TensorInfo(name=name, type="f32", shape=None) for name in _ends(layers)),
    )


def _inputs(net: Message, layers: tuple[Message, ...]) -> dict[str, tuple[int, ...] | None]:
    names = net.texts("input")
    found: dict[str, tuple[int, ...] | None] = dict.fromkeys(names)
    found |= declared_shapes(net)
    for layer in layers:
        if layer.text("type") == "Input":
            given = layer.message("input_param").messages("shape")
            tops = layer.texts("top")
            found |= dict.fromkeys(tops)
            # A single shape applies to all tops.
            every = given * len(tops) if len(given) == 1 else given
            found |= {name: shape.numbers("dim") for name, shape in zip(tops, every, strict=False)}
    if any(size < 1 for shape in found.values() for size in shape or ()):
        raise ValueError
    return found


def _ends(layers: tuple[Message, ...]) -> list[str]:
    """Return the names of the layers whose results no other layer uses."""
    made: dict[str, str] = {}
    for layer in layers:
        if layer.text("type") in ("Input", "Silence"):
            continue
        for bottom in layer.texts("bottom"):
            made.pop(bottom, None)
        made |= dict.fromkeys(layer.texts("top"), layer.text("name"))
    return list(dict.fromkeys(made.values()))


def _steps(name: str, layers: tuple[Message, ...]) -> tuple[PreprocessingStep, ...]:
    """Return the arithmetic of a Power layer that is the only consumer of an input."""
    taking = [layer for layer in layers if name in layer.texts("bottom")]
    if len(taking) != 1 or taking[0].text("type") != "Power":
        return ()
    param = taking[0].message("power_param")
    try:
        factor, shift = float(param.text("scale", "1")), float(param.text("shift", "0"))
    except ValueError:
        return ()
    return (PreprocessingStep("multiply", (factor,)), PreprocessingStep("add", (shift,)))
