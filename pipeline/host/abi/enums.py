"""Numbers and memory layouts of wasi-nn's core-module ABI.

Source: the specification (WebAssembly/wasi-nn, witx of 2023-08, frozen 2024-10); for extensions,
WasmEdge and WAMR as noted at each.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Literal

from pipeline.element_types import ELEMENT_TYPES, ElementType

MODULE = "wasi_ephemeral_nn"


class Errno(IntEnum):
    """Result of every function: the specification's `nn_errno`."""

    SUCCESS = 0
    INVALID_ARGUMENT = 1
    INVALID_ENCODING = 2
    MISSING_MEMORY = 3
    BUSY = 4
    RUNTIME_ERROR = 5
    UNSUPPORTED_OPERATION = 6
    TOO_LARGE = 7
    NOT_FOUND = 8


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


EncodingNumbers = Literal["wasmedge", "wit"]

_STANDARD_ENCODINGS = (
    Encoding.OPENVINO,
    Encoding.ONNX,
    Encoding.TENSORFLOW,
    Encoding.PYTORCH,
    Encoding.TENSORFLOWLITE,
)

# WasmEdge: 5 autodetect, 6 ggml. WIT and WAMR: the reverse.
ENCODINGS: Mapping[EncodingNumbers, tuple[Encoding, ...]] = MappingProxyType(
    {
        "wasmedge": (*_STANDARD_ENCODINGS, Encoding.AUTODETECT, Encoding.GGML),
        "wit": (*_STANDARD_ENCODINGS, Encoding.GGML, Encoding.AUTODETECT),
    }
)


class Target(IntEnum):
    """Device of a graph; 3 is an extension of WasmEdge and the newer Rust bindings."""

    CPU = 0
    GPU = 1
    TPU = 2
    AUTO = 3


TensorTypeAbi = Literal[2022, 2023]

# The number of a type is its index. The Rust bindings up to 0.4 and the AssemblyScript bindings
# still use those of 2022.
TENSOR_TYPES: Mapping[TensorTypeAbi, tuple[ElementType, ...]] = MappingProxyType(
    {
        2022: tuple(ELEMENT_TYPES[name] for name in ("f16", "f32", "u8", "i32")),
        2023: tuple(ELEMENT_TYPES[name] for name in ("f16", "f32", "f64", "u8", "i32", "i64")),
    }
)

# A builder is {pointer u32, length u32}.
BUILDER_SIZE = 8

# A tensor is {dims pointer u32 @0, rank u32 @4, type u8 @8, data pointer u32 @12, length u32 @16}.
TENSOR_SIZE = 20
TENSOR_TYPE_OFFSET = 8
TENSOR_DATA_OFFSET = 12

# Parameters by function; each is an i32, and so is the result. The last six are extensions of
# WasmEdge and WAMR that existing guests import.
FUNCTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "load": ("builders", "count", "encoding", "target", "graph*"),
        "load_by_name": ("name*", "length", "graph*"),
        "init_execution_context": ("graph", "context*"),
        "set_input": ("context", "index", "tensor*"),
        "compute": ("context",),
        "get_output": ("context", "index", "buffer*", "size", "written*"),
        "load_by_name_with_config": ("name*", "length", "config*", "config length", "graph*"),
        "unload": ("graph",),
        "finalize_execution_context": ("context",),
        "get_output_single": ("context", "index", "buffer*", "size", "written*"),
        "compute_single": ("context",),
        "fini_single": ("context",),
    }
)


class WasiNnError(Exception):
    """A call failed: the errno, and the reason in one sentence."""

    def __init__(self, errno: Errno, message: str) -> None:
        super().__init__(message)
        self.errno = errno
        self.message = message


def refuse_argument(message: str) -> WasiNnError:
    """Return the WasiNnError for an invalid argument, errno 1."""
    return WasiNnError(Errno.INVALID_ARGUMENT, message)
