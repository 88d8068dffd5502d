"""Encodings, targets and element types of wasi-nn, whichever ABI numbers them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType

from pipeline.element_types import ELEMENT_TYPES


class Encoding(Enum):
    """Format of a model's bytes."""

    OPENVINO = "openvino"
    ONNX = "onnx"
    TENSORFLOW = "tensorflow"
    PYTORCH = "pytorch"
    TENSORFLOWLITE = "tensorflowlite"
    GGML = "ggml"
    AUTODETECT = "autodetect"
    # Without a number: such a model can only be loaded by name.
    PADDLE = "paddle"


class Target(IntEnum):
    """Device of a graph; 3 is an extension of WasmEdge and the newer Rust bindings."""

    CPU = 0
    GPU = 1
    TPU = 2
    AUTO = 3


# Types without a number in wasi-nn: their values are given as u8, one byte each. An extension.
GIVEN_AS_U8 = ("boolean", "i8")
# Bytes of an element; bf16 is in the component interface alone.
ELEMENT_SIZES: Mapping[str, int] = MappingProxyType(
    {**{each.name: each.size for each in ELEMENT_TYPES.values()}, "boolean": 1}
)
