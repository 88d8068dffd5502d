"""What a config may say of a model: its files, its way to IR, and the golden check of that."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from pipeline.config.tables import Number, Positive, Shape, Table, Tolerance

Framework = Literal["caffe", "onnx", "tensorflow"]


class ModelInput(Table, frozen=True):
    """One input of the model: its fixed shape, and what is subtracted and divided inside the IR.

    ``mean`` and ``scale`` are per channel, in the order of the channels that the model expects:
    ``(x - mean) / scale``. The channels are axis 1; an input of one axis has none.
    """

    shape: Shape
    """The fixed size of every axis, such as [1, 3, 227, 227]."""
    mean: tuple[Number, ...] = ()
    """What the IR subtracts from each channel."""
    scale: tuple[Positive, ...] = ()
    """What the IR then divides each channel by."""


class Model(Table, frozen=True):
    """The model and how it becomes OpenVINO IR.

    ``files`` maps what the framework calls a file to a source: Caffe ``weights`` and
    ``topology``; ONNX ``model``; TensorFlow ``graph`` (a frozen graph), or the paths inside a
    SavedModel folder, such as ``saved_model.pb``.
    """

    framework: Framework
    """What the model was saved with."""
    files: dict[str, str]
    """The framework's files, each with the name of its source."""
    inputs: Annotated[dict[str, ModelInput], msgspec.Meta(min_length=1)]
    """The inputs of the model, each under its own name."""
    precision: Literal["f32", "f16"]
    """The element type of the weights in the IR."""


class Golden(Table, frozen=True):
    """An independent executor of the source model, and how closely the IR must agree with it.

    Every element must satisfy ``|a - b| <= absolute + relative × |b|``. ``files`` names another
    export of the same network (its twin) when the executor cannot read the model's own files;
    ``inputs`` and ``outputs`` then map the IR's names to the twin's.
    """

    executor: Literal["opencv", "onnxruntime"]
    """The runtime that runs the source model: opencv reads Caffe, onnxruntime reads ONNX."""
    absolute: Tolerance
    """The absolute part of the tolerance."""
    relative: Tolerance
    """The relative part of the tolerance."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """The files of the twin, each with the name of its source."""
    inputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each input, where it has another."""
    outputs: dict[str, str] = msgspec.field(default_factory=dict)
    """The twin's name of each output, where it has another."""
