"""The types and functions of wasi-nn's component interface, as a table.

Source: the WIT package of the specification (WebAssembly/wasi-nn), version 0.2.0-rc-2024-10-28.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

VERSION = "0.2.0-rc-2024-10-28"
PACKAGE = "wasi:nn"


@dataclass(frozen=True)
class Enum:
    """An enum, as the name of its case."""

    cases: tuple[str, ...]


@dataclass(frozen=True)
class String:
    """A string."""


@dataclass(frozen=True)
class Bytes:
    """A ``list<u8>``, as bytes or a view of them."""


@dataclass(frozen=True)
class Numbers:
    """A ``list<u32>``, as a tuple."""


@dataclass(frozen=True)
class Own:
    """A resource that changes hands, as its number in the host."""

    resource: str


@dataclass(frozen=True)
class Borrow:
    """A resource that is lent for a call, as its number in the host."""

    resource: str


@dataclass(frozen=True)
class ListOf:
    """A list of other values."""

    element: WitType


@dataclass(frozen=True)
class Tuple:
    """A tuple."""

    elements: tuple[WitType, ...]


@dataclass(frozen=True)
class ResultOf:
    """A result: a value, or a ErrorReturn with an error's number."""

    value: WitType
    error: WitType


WitType = Enum | String | Bytes | Numbers | Own | Borrow | ListOf | Tuple | ResultOf


@dataclass(frozen=True)
class ErrorReturn:
    """The error of a ResultOf, as the number of its resource."""

    error: int


@dataclass(frozen=True)
class Signature:
    """A function: its interface and WIT name, parameters by name, and result.

    ``name`` is unique among all functions, for messages and counts.
    """

    name: str
    interface: str
    wit_name: str
    parameters: tuple[tuple[str, WitType], ...]
    result: WitType


TENSOR, GRAPH, CONTEXT, ERROR = "tensor", "graph", "graph-execution-context", "error"
# The interface that each resource belongs to.
RESOURCES: Mapping[str, str] = MappingProxyType(
    {TENSOR: "tensor", GRAPH: "graph", CONTEXT: "inference", ERROR: "errors"}
)

# wasi-nn's name of each type, in the order of the enum.
ELEMENTS: Mapping[str, str] = MappingProxyType(
    {
        **{"FP16": "f16", "FP32": "f32", "FP64": "f64", "BF16": "bf16"},
        **{"U8": "u8", "I32": "i32", "I64": "i64"},
    }
)
TENSOR_TYPE = Enum(tuple(ELEMENTS))
ENCODING = Enum(
    ("openvino", "onnx", "tensorflow", "pytorch", "tensorflowlite", "ggml", "autodetect")
)
TARGET = Enum(("cpu", "gpu", "tpu"))
ERROR_CODE = Enum(
    (
        *("invalid-argument", "invalid-encoding", "timeout", "runtime-error"),
        *("unsupported-operation", "too-large", "not-found", "security", "unknown"),
    )
)
_NAMED_TENSORS = ListOf(Tuple((String(), Own(TENSOR))))

FUNCTIONS: Mapping[str, Signature] = MappingProxyType(
    {
        each.name: each
        for each in (
            Signature(
                "tensor.constructor",
                "tensor",
                "[constructor]tensor",
                (("dimensions", Numbers()), ("ty", TENSOR_TYPE), ("data", Bytes())),
                Own(TENSOR),
            ),
            Signature(
                "tensor.dimensions",
                "tensor",
                "[method]tensor.dimensions",
                (("self", Borrow(TENSOR)),),
                Numbers(),
            ),
            Signature(
                "tensor.ty",
                "tensor",
                "[method]tensor.ty",
                (("self", Borrow(TENSOR)),),
                TENSOR_TYPE,
            ),
            Signature(
                "tensor.data",
                "tensor",
                "[method]tensor.data",
                (("self", Borrow(TENSOR)),),
                Bytes(),
            ),
            Signature(
                "load",
                "graph",
                "load",
                (("builder", ListOf(Bytes())), ("encoding", ENCODING), ("target", TARGET)),
                ResultOf(Own(GRAPH), Own(ERROR)),
            ),
            Signature(
                "load-by-name",
                "graph",
                "load-by-name",
                (("name", String()),),
                ResultOf(Own(GRAPH), Own(ERROR)),
            ),
            Signature(
                "init-execution-context",
                "graph",
                "[method]graph.init-execution-context",
                (("self", Borrow(GRAPH)),),
                ResultOf(Own(CONTEXT), Own(ERROR)),
            ),
            Signature(
                "compute",
                "inference",
                "[method]graph-execution-context.compute",
                (("self", Borrow(CONTEXT)), ("inputs", _NAMED_TENSORS)),
                ResultOf(_NAMED_TENSORS, Own(ERROR)),
            ),
            Signature(
                "error.code",
                "errors",
                "[method]error.code",
                (("self", Borrow(ERROR)),),
                ERROR_CODE,
            ),
            Signature(
                "error.data",
                "errors",
                "[method]error.data",
                (("self", Borrow(ERROR)),),
                String(),
            ),
        )
    }
)


def interface_name(interface: str) -> str:
    """Return the name by which components import an interface.

    >>> interface_name("graph")
    'wasi:nn/graph@0.2.0-rc-2024-10-28'
    """
    return f"{PACKAGE}/{interface}@{VERSION}"


INTERFACES = tuple(map(interface_name, dict.fromkeys(RESOURCES.values())))
