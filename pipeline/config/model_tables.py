"""Tables of a model: its files, its conversion to IR, and its golden check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Count, Index, Number, Positive, Shape, Table, Text, Tolerance

Framework = Literal[
    "caffe", "kaldi", "mxnet", "onnx", "openvino", "paddle", "pytorch", "tensorflow", "tflite"
]
# Spelling in messages.
SPELLED: Mapping[Framework, str] = {
    "caffe": "Caffe",
    "kaldi": "Kaldi",
    "mxnet": "MXNet",
    "onnx": "ONNX",
    "openvino": "OpenVINO IR",
    "paddle": "Paddle",
    "pytorch": "PyTorch",
    "tensorflow": "TensorFlow",
    "tflite": "TFLite",
}
ExecutorName = Literal[
    "litert",
    "mxnet",
    "numpy",
    "onnxruntime",
    "opencv",
    "openvino",
    "paddle",
    "tensorflow",
    "torch",
]
Precision = Literal["f32", "f16", "int8", "int4"]
# Those that NNCF makes of an IR of f32.
QUANTISED: frozenset[Precision] = frozenset({"int8", "int4"})
Loss = Annotated[float, msgspec.Meta(gt=0, le=1)]
LARGEST_GROUP = 2**16
GroupSize = Annotated[int, msgspec.Meta(ge=2, le=LARGEST_GROUP)]
# The types of wasi-nn.
PortType = Literal["f16", "f32", "f64", "u8", "i32", "i64"]
# Those of them that hold the values of types that wasi-nn lacks.
CARRIED: Mapping[str, PortType] = {
    "bf16": "f32",
    "boolean": "u8",
    "i8": "i32",
    "i16": "i32",
    "u16": "i32",
    "u32": "i64",
    "u64": "i64",
}
Axes = Annotated[
    str,
    msgspec.Meta(pattern=r"^[NCDHW]{1,5}(?!\n)$", description="a layout such as 'NCHW'"),
]

# `model` is excluded: model.xml and model.bin are copies of the IR.
Stem = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?!model$)[a-z0-9][a-z0-9_-]{0,63}(?!\n)$",
        description="up to 64 of a-z, 0-9, - and _, but not 'model'",
    ),
]


class ModelInput(Table, frozen=True):
    """One input of the IR: its shape and type, and preprocessing inside the IR.

    ``shape`` is the tensor's, in the order of ``layout``. The channels are axis C of
    ``model_layout``, or axis 1; an input with one axis has none. They are reversed first, then
    ``(x - mean) / scale`` is applied per channel, in the model's channel order.
    """

    shape: Shape
    """Size of each axis of the tensor, such as [1, 3, 227, 227]."""
    bounds: tuple[tuple[Index, Count], ...] = ()
    """Minimum, which may be 0, and maximum size of each axis, for an IR with a dynamic shape."""
    type: PortType | None = None
    """Element type of the IR's input, if not the model's."""
    layout: Axes | None = None
    """Axis order of the tensor, if not the model's."""
    model_layout: Axes | None = None
    """Axis order of the model."""
    reverse_channels: bool = False
    """Whether the IR reverses the channels, between RGB and BGR."""
    mean: tuple[Number, ...] = ()
    """Value that the IR subtracts from each channel."""
    scale: tuple[Positive, ...] = ()
    """Value that the IR then divides each channel by."""


class ModelOutput(Table, frozen=True):
    """One output of the IR: any tensor of the model; later operations are removed."""

    type: PortType | None = None
    """Element type of the IR's output, if not the model's."""


class Model(Table, frozen=True, kw_only=True):
    """The model and its conversion to OpenVINO IR.

    ``files`` maps the framework's label of a file to a source: Caffe ``topology`` and
    ``weights``; Kaldi ``model``; MXNet ``symbol`` and ``params``; ONNX ``model``, and the paths of
    its external data; OpenVINO IR ``model`` (.xml) and ``weights`` (.bin); Paddle ``model`` and
    ``params``; PyTorch ``weights`` (a state dict, with an
    ``architecture``), ``torchscript`` or ``exported``; TensorFlow ``graph`` (a frozen graph), or
    the paths inside a SavedModel folder, such as ``saved_model.pb``; TFLite ``model``.
    """

    framework: Framework
    """Framework of the model."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """Files of the model by the framework's label, each with the name of its source."""
    inputs: Annotated[dict[str, ModelInput], msgspec.Meta(min_length=1)]
    """Inputs of the model, by name."""
    precision: Precision
    """Weight precision of the IR; int8 and int4 need calibration tensors."""
    loss: Loss | None = None
    """For int8 and int4: maximum relative L2 error of an output."""
    group_size: GroupSize | None = None
    """For int4: how many weights of a row share a scale, such as 32 or 128, if not all."""
    stem: Stem | None = None
    """Name of the IR's files without .xml and .bin, if not the fixture's."""
    outputs: dict[str, ModelOutput] = msgspec.field(default_factory=dict)
    """Outputs of the IR, if not the model's own."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    """For a Caffe topology or PyTorch architecture without weights: seed of random weights."""
    architecture: Text | None = None
    """PyTorch module of a state dict or seed: mobilenet_v2, decoder, or package.module:callable."""
    signature: Text | None = None
    """Signature of a TFLite file or SavedModel, if it has several and no serving_default."""


class Golden(Table, frozen=True):
    """An independent executor of the source model, and where the IR may differ more from it.

    How far the outputs may differ is measured, and follows from the precision of the weights. With
    a ``reason``, elements that satisfy ``|a - b| <= absolute + relative × |b|`` agree too, and an
    output as a whole may have a smaller ``cosine``. ``files`` names another export of the same
    network (its twin) when the executor cannot read the model's own files; ``inputs`` and
    ``outputs`` then map the IR's names to the twin's.
    """

    executor: ExecutorName
    """The runtime that runs the source model; opencv reads Caffe, litert TFLite, numpy Kaldi.

    openvino compares an existing IR with itself: set files to its source model, if you have it.
    """
    absolute: Tolerance | None = None
    """How far every element may differ, whatever was measured; needs a reason."""
    relative: Tolerance | None = None
    """How far every element may differ as a share of itself; needs a reason."""
    cosine: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """The least cosine, where less than 0.999 (f16), 0.98 (int8), 0.95 (int4); needs a reason."""
    reason: Text | None = None
    """Why absolute, relative or cosine allow more than noise and precision explain, in words."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """The files of the twin, each with the name of its source."""
    inputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each input, where it has another."""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each output, where it has another."""
