"""The numbers of wasi-nn's core-module ABI, import module ``wasi_ephemeral_nn``.

From the specification's witx (WebAssembly/wasi-nn, frozen in October 2024), its state before
August 2023 for the older tensor types, and WasmEdge for what both leave open.
"""

from __future__ import annotations

from enum import IntEnum

MODULE = "wasi_ephemeral_nn"


class Errno(IntEnum):
    """What every function returns."""

    SUCCESS = 0
    INVALID_ARGUMENT = 1
    INVALID_ENCODING = 2
    MISSING_MEMORY = 3
    BUSY = 4
    RUNTIME_ERROR = 5
    UNSUPPORTED_OPERATION = 6
    TOO_LARGE = 7
    NOT_FOUND = 8


class Encoding(IntEnum):
    """How the bytes of a graph are to be read; AUTODETECT has WasmEdge's number."""

    OPENVINO = 0
    ONNX = 1
    TENSORFLOW = 2
    PYTORCH = 3
    TENSORFLOWLITE = 4
    AUTODETECT = 5


class Target(IntEnum):
    """Where a graph is executed; AUTO is an extension of WasmEdge and the newer Rust bindings."""

    CPU = 0
    GPU = 1
    TPU = 2
    AUTO = 3


# Tensor types by number, with the bytes of one element.
TYPES_2023 = {0: "f16", 1: "f32", 2: "f64", 3: "u8", 4: "i32", 5: "i64"}
TYPES_2022 = {0: "f16", 1: "f32", 2: "u8", 3: "i32"}
TYPES = {2022: TYPES_2022, 2023: TYPES_2023}
ELEMENT_BYTES = {"f16": 2, "f32": 4, "f64": 8, "u8": 1, "i32": 4, "i64": 8}

# Each function's count of i32 parameters; all return one i32.
FUNCTIONS = {
    "load": 5,
    "load_by_name": 3,
    "load_by_name_with_config": 5,
    "init_execution_context": 2,
    "set_input": 3,
    "compute": 1,
    "get_output": 5,
    "unload": 1,
    "finalize_execution_context": 1,
    "get_output_single": 5,
    "compute_single": 1,
    "fini_single": 1,
}


class Refusal(Exception):
    """Why a call gets an errno other than success; the message is for the person."""

    def __init__(self, errno: Errno, message: str) -> None:
        super().__init__(message)
        self.errno = errno
