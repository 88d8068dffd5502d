"""The models of the suite: OpenVINO IRs of some hundred bytes each, generated here.

Each adds 1, 2, 3 and 4 to four numbers or does something similar, so that outputs are exact in
every type on every machine, and any wrong input changes them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

# The number of each type in wasi-nn's 2023 ABI, and its format in Python's struct.
TYPES: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "f16": (0, "e"),
        "f32": (1, "f"),
        "f64": (2, "d"),
        "u8": (3, "B"),
        "i32": (4, "i"),
        "i64": (5, "q"),
    }
)
_ELEMENT = {"f16": "FP16", "f32": "FP32", "f64": "FP64", "u8": "U8", "i32": "I32", "i64": "I64"}
_ADDED = (1, 2, 3, 4)
_TFLITE = (
    "1800000054464c3300000e00140010000c000800000004000e000000100000001c000000000100000300"
    "00000100000008000000040004000400000001000000100000000c00140010000c00080004000c000000"
    "100000003c0000004000000044000000010000001000000000000a000c000000080004000a0000000800"
    "00000c000000010000000100000001000000000000000100000001000000010000000000000002000000"
    "4c00000004000000d0ffffff0c0000001400000018000000020000000100000004000000010000007900"
    "0000020000000100000004000000140010000c000000000008000000000000000400140000000c000000"
    "140000001800000002000000010000000400000001000000780000000200000001000000040000000100"
    "0000100000000c000c000b000000000004000c0000001300000000000013"
)


@dataclass(frozen=True)
class SuiteModel:
    """An IR: its xml and its weights."""

    xml: bytes
    weights: bytes


def numbers(element: str, *values: float) -> bytes:
    """Return numbers as a tensor's bytes, little-endian.

    >>> numbers("f32", 1, 2).hex()
    '0000803f00000040'
    """
    return struct.pack(f"<{len(values)}{TYPES[element][1]}", *values)


def add(element: str = "f32") -> SuiteModel:
    """Return y = x + [1, 2, 3, 4], both 1x4 of one type."""
    weights = numbers(element, *_ADDED)
    layers = [
        _parameter(0, "x", element, (1, 4)),
        _constant(1, element, (1, 4), len(weights)),
        _binary(2, "Add", element, (1, 4), "y"),
        _result(3, element, (1, 4)),
    ]
    return SuiteModel(_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), weights)


def subtract() -> SuiteModel:
    """Return y = a - b, all 1x4 f32: two inputs, whose order matters."""
    layers = [
        _parameter(0, "a", "f32", (1, 4)),
        _parameter(1, "b", "f32", (1, 4)),
        _binary(2, "Subtract", "f32", (1, 4), "y"),
        _result(3, "f32", (1, 4)),
    ]
    return SuiteModel(_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), b"")


def two_outputs() -> SuiteModel:
    """Return x + [1, 2, 3, 4] as two outputs of f32 and i32, both 1x4."""
    weights = numbers("f32", *_ADDED)
    layers = [
        _parameter(0, "x", "f32", (1, 4)),
        _constant(1, "f32", (1, 4), len(weights)),
        _binary(2, "Add", "f32", (1, 4), "sum"),
        _layer(
            3,
            "Convert",
            'destination_type="i32"',
            _port(0, "f32", (1, 4)),
            _port(1, "i32", (1, 4), "whole"),
        ),
        _result(4, "f32", (1, 4)),
        _result(5, "i32", (1, 4)),
    ]
    edges = ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0), (2, 2, 4, 0), (3, 1, 5, 0))
    return SuiteModel(_ir(layers, edges), weights)


def dynamic() -> SuiteModel:
    """Return y = x + 1 for an f32 x with one dynamic axis."""
    weights = numbers("f32", 1)
    layers = [
        _parameter(0, "x", "f32", (-1,)),
        _constant(1, "f32", (1,), len(weights)),
        _binary(2, "Add", "f32", (-1,), "y", (1,)),
        _result(3, "f32", (-1,)),
    ]
    return SuiteModel(_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), weights)


def onnx() -> bytes:
    """Return the model of `add` as ONNX, opset 13 (fields by their numbers in onnx.proto)."""
    weights = _field(1, 1) + _field(1, 4) + _field(2, 1) + _field(8, b"w")
    weights += _field(9, numbers("f32", *_ADDED))
    node = _field(1, b"x") + _field(1, b"w") + _field(2, b"y") + _field(4, b"Add")
    graph = _field(1, node) + _field(2, b"add") + _field(5, weights)
    graph += _field(11, _value_info(b"x")) + _field(12, _value_info(b"y"))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 13))


def tensorflow() -> bytes:
    """Return y = x * x of 1x4 f32 as a frozen TensorFlow graph (fields by graph.proto)."""
    kind = _field(6, 1)
    shape = _field(7, b"".join(_field(2, _field(1, size)) for size in (1, 4)))
    x = _field(1, b"x") + _field(2, b"Placeholder")
    x += _attribute(b"dtype", kind) + _attribute(b"shape", shape)
    square = _field(1, b"y") + _field(2, b"Mul") + _field(3, b"x") + _field(3, b"x")
    return _field(1, x) + _field(1, square + _attribute(b"T", kind))


def _attribute(key: bytes, value: bytes) -> bytes:
    return _field(5, _field(1, key) + _field(2, value))


def tflite() -> bytes:
    """Return y = relu(x) of 1x4 f32 as a TFLite flatbuffer.

    Stored as bytes, since its offsets are hard to derive from its fields; a test rebuilds it.
    """
    return bytes.fromhex(_TFLITE)


def _value_info(name: bytes) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in (1, 4))
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, dims)))


def _field(number: int, value: int | bytes) -> bytes:
    """Return a protobuf field; all numbers here are below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    length = len(value)
    size = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + size + value


def _ir(layers: Sequence[str], edges: Sequence[tuple[int, int, int, int]]) -> bytes:
    lines = [
        f'<edge from-layer="{a}" from-port="{b}" to-layer="{c}" to-port="{d}"/>'
        for a, b, c, d in edges
    ]
    text = "\n".join(
        [
            '<?xml version="1.0"?>',
            '<net name="model" version="11">',
            *("<layers>", *layers, "</layers>"),
            *("<edges>", *lines, "</edges>"),
            "</net>",
        ]
    )
    return text.encode() + b"\n"


def _parameter(number: int, name: str, element: str, dims: Sequence[int]) -> str:
    shape = ",".join("?" if size < 0 else str(size) for size in dims)
    data = f'shape="{shape}" element_type="{element}"'
    return _layer(number, "Parameter", data, "", _port(0, element, dims, name), name)


def _constant(number: int, element: str, dims: Sequence[int], size: int) -> str:
    shape = ",".join(map(str, dims))
    data = f'element_type="{element}" shape="{shape}" offset="0" size="{size}"'
    return _layer(number, "Const", data, "", _port(0, element, dims))


def _binary(
    number: int,
    kind: str,
    element: str,
    dims: Sequence[int],
    name: str,
    second: Sequence[int] | None = None,
) -> str:
    inputs = _port(0, element, dims) + _port(1, element, dims if second is None else second)
    outputs = _port(2, element, dims, name)
    return _layer(number, kind, 'auto_broadcast="numpy"', inputs, outputs)


def _result(number: int, element: str, dims: Sequence[int]) -> str:
    return _layer(number, "Result", "", _port(0, element, dims), "")


def _layer(
    number: int, kind: str, data: str, inputs: str, outputs: str, name: str | None = None
) -> str:
    parts = [
        f'<layer id="{number}" name="{name or f"{kind}_{number}"}" type="{kind}" version="opset1">',
        f"<data {data}/>" if data else "",
        f"<input>{inputs}</input>" if inputs else "",
        f"<output>{outputs}</output>" if outputs else "",
    ]
    return "".join([*parts, "</layer>"])


def _port(number: int, element: str, dims: Sequence[int], name: str | None = None) -> str:
    names = f' names="{name}"' if name else ""
    sizes = "".join(f"<dim>{size}</dim>" for size in dims)
    return f'<port id="{number}" precision="{_ELEMENT[element]}"{names}>{sizes}</port>'
