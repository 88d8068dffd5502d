"""What a config may say of a model: its files, its way to IR, and the golden check of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Count, Number, Positive, Shape, Table, Text, Tolerance

Framework = Literal["caffe", "kaldi", "mxnet", "onnx", "paddle", "pytorch", "tensorflow", "tflite"]
# As their owners write them, for messages.
SPELLED: Mapping[Framework, str] = {
    "caffe": "Caffe",
    "kaldi": "Kaldi",
    "mxnet": "MXNet",
    "onnx": "ONNX",
    "paddle": "Paddle",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "tflite": "TFLite",
}
ExecutorName = Literal[
    "litert", "mxnet", "numpy", "onnxruntime", "opencv", "paddle", "tensorflow", "torch"
]
Precision = Literal["f32", "f16", "int8"]
Loss = Annotated[float, msgspec.Meta(gt=0, le=1)]
# What wasi-nn can carry.
PortType = Literal["f16", "f32", "f64", "u8", "i32", "i64"]
Axes = Annotated[
    str,
    msgspec.Meta(pattern=r"^[NCDHW]{1,5}(?!\n)$", description="a layout such as 'NCHW'"),
]

# Its files lie beside model.xml and model.bin, which have the same bytes.
Stem = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!model$)[a-z0-9][a-z0-9_-]{0,63}(?!\n)$",
        description="up to 64 of a-z, 0-9, - and _, but not 'model'",
    ),
]


class ModelInput(Table, frozen=True):
    """One input of the IR: its shape and type, and what is done to it inside the IR.

    ``shape`` is that of the tensor, in the order of ``layout``. The channels are the axis C of
    ``model_layout``, or axis 1; an input of one axis has none. They are reversed first, then
    ``(x - mean) / scale`` per channel, in the order of the channels that the model expects.
    """

    shape: Shape
    """The size of every axis of the tensor, such as [1, 3, 227, 227]."""
    bounds: tuple[tuple[Count, Count], ...] = ()
    """The least and the greatest size of every axis, for an IR that takes other shapes too."""
    type: PortType | None = None
    """The element type that the IR takes, where that is not the model's own."""
    layout: Axes | None = None
    """The order of the axes of the tensor, where that is not the model's own."""
    model_layout: Axes | None = None
    """The order of the axes that the model was made with."""
    reverse_channels: bool = False
    """Whether the IR reverses the channels, RGB to BGR or back."""
    mean: tuple[Number, ...] = ()
    """What the IR subtracts from each channel."""
    scale: tuple[Positive, ...] = ()
    """What the IR then divides each channel by."""


class ModelOutput(Table, frozen=True):
    """One output of the IR: any tensor of the model; what comes after the last is cut off."""

    type: PortType | None = None
    """The element type that the IR gives, where that is not the model's own."""


class Model(Table, frozen=True):
    """The model and how it becomes OpenVINO IR.

    ``files`` maps what the framework calls a file to a source: Caffe ``topology`` and
    ``weights``; Kaldi ``model``; MXNet ``symbol`` and ``params``; ONNX ``model``, and the paths of
    its external data beside it; Paddle ``model`` and ``params``; PyTorch ``weights`` (a state
    dict, with an ``architecture``), ``torchscript`` or ``exported``; TensorFlow ``graph`` (a frozen
    graph), or the paths inside a SavedModel folder, such as ``saved_model.pb``; TFLite ``model``.
    """

    framework: Framework
    """What the model was saved with."""
    files: dict[str, str]
    """The framework's files, each with the name of its source."""
    inputs: Annotated[dict[str, ModelInput], msgspec.Meta(min_length=1)]
    """The inputs of the model, each under its own name."""
    precision: Precision
    """The element type of the weights in the IR; int8 needs calibration tensors."""
    loss: Loss | None = None
    """For int8: the greatest distance that quantising may cost, as a share of an output."""
    stem: Stem | None = None
    """The name of the IR's files before .xml and .bin, where it is not the fixture's."""
    outputs: dict[str, ModelOutput] = msgspec.field(default_factory=dict)
    """The outputs of the IR, where those are not the model's own."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    """For a Caffe topology without weights: what they are drawn from."""
    architecture: Text | None = None
    """The PyTorch module that a state dict belongs to: mobilenet_v2, or package.module:callable."""


class Golden(Table, frozen=True):
    """An independent executor of the source model, and where the IR may differ more from it.

    How far the outputs may differ is measured, and follows from the precision of the weights. With
    a ``reason``, elements that satisfy ``|a - b| <= absolute + relative × |b|`` agree too, and an
    output as a whole may have a smaller ``cosine``. ``files`` names another export of the same
    network (its twin) when the executor cannot read the model's own files; ``inputs`` and
    ``outputs`` then map the IR's names to the twin's.
    """

    executor: ExecutorName
    """The runtime that runs the source model; opencv reads Caffe, litert TFLite, numpy Kaldi."""
    absolute: Tolerance | None = None
    """How far every element may differ, whatever was measured; needs a reason."""
    relative: Tolerance | None = None
    """How far every element may differ as a share of itself; needs a reason."""
    cosine: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """The least cosine of an output, where less than 0.999 (f16) or 0.98 (int8); needs a reason."""
    reason: Text | None = None
    """Why absolute, relative or cosine allow more than noise and precision explain, in words."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """The files of the twin, each with the name of its source."""
    inputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each input, where it has another."""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each output, where it has another."""
