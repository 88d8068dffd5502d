"""The models of the suite as OpenVINO IR."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.models.model import ADDED, TYPES, ModelFormat, SuiteModel, numbers

_ELEMENT = {
    "f16": "FP16",
    "f32": "FP32",
    "f64": "FP64",
    "u8": "U8",
    "i8": "I8",
    "i32": "I32",
    "i64": "I64",
    "bf16": "BF16",
    "boolean": "BOOL",
}
_ROW = (1, 4)


def add(element: str = "f32") -> SuiteModel:
    """Return y = x + [1, 2, 3, 4], both 1x4 of one type."""
    return _plus(element, numbers(element, *ADDED), "x")


def named(name: str) -> SuiteModel:
    """Return `add` with another name for its input."""
    return _plus("f32", numbers("f32", *ADDED), name)


def add_bf16() -> SuiteModel:
    """Return `add` of bf16: the upper halves of f32."""
    weights = b"".join(numbers("f32", each)[2:] for each in ADDED)
    return _plus("bf16", weights, "x")


def add_i8() -> SuiteModel:
    """Return `add` of i8."""
    return _plus("i8", bytes(ADDED), "x")


def negate() -> SuiteModel:
    """Return y = not x, both 1x4 of boolean."""
    layers = [
        _parameter(0, "x", "boolean", _ROW),
        _layer(
            1,
            "LogicalNot",
            "",
            _port(0, "boolean", _ROW),
            _port(1, "boolean", _ROW, "y"),
        ),
        _result(2, "boolean", _ROW),
    ]
    return SuiteModel((_ir(layers, ((0, 0, 1, 0), (1, 1, 2, 0))), b""))


def _plus(element: str, weights: bytes, name: str) -> SuiteModel:
    layers = [
        _parameter(0, name, element, _ROW),
        _constant(1, element, _ROW, len(weights)),
        _binary(2, "Add", element, _ROW, "y"),
        _result(3, element, _ROW),
    ]
    return SuiteModel((_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), weights))


def subtract() -> SuiteModel:
    """Return y = a - b, all 1x4 f32: two inputs, whose order matters."""
    layers = [
        _parameter(0, "a", "f32", _ROW),
        _parameter(1, "b", "f32", _ROW),
        _binary(2, "Subtract", "f32", _ROW, "y"),
        _result(3, "f32", _ROW),
    ]
    return SuiteModel((_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), b""))


def two_outputs() -> SuiteModel:
    """Return x + [1, 2, 3, 4] as two outputs of f32 and i32, both 1x4."""
    weights = numbers("f32", *ADDED)
    layers = [
        _parameter(0, "x", "f32", _ROW),
        _constant(1, "f32", _ROW, len(weights)),
        _binary(2, "Add", "f32", _ROW, "sum"),
        _layer(
            3,
            "Convert",
            'destination_type="i32"',
            _port(0, "f32", _ROW),
            _port(1, "i32", _ROW, "whole"),
        ),
        _result(4, "f32", _ROW),
        _result(5, "i32", _ROW),
    ]
    edges = ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0), (2, 2, 4, 0), (3, 1, 5, 0))
    return SuiteModel((_ir(layers, edges), weights))


def dynamic(element: str = "f32") -> SuiteModel:
    """Return y = x + 1 for an x with one dynamic axis."""
    return _plus_one((-1,), (1,), element)


def scalar() -> SuiteModel:
    """Return y = x + 1 for an f32 x of rank 0."""
    return _plus_one((), ())


def _plus_one(dims: Sequence[int], one: Sequence[int], element: str = "f32") -> SuiteModel:
    weights = numbers(element, 1)
    layers = [
        _parameter(0, "x", element, dims),
        _constant(1, element, one, len(weights)),
        _binary(2, "Add", element, dims, "y", one),
        _result(3, element, dims),
    ]
    return SuiteModel((_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), weights))


def gather(count: int) -> SuiteModel:
    """Return elements of eight zeros of f32, looked up by GatherND at ``count`` i32 indices."""
    weights = bytes(8 * 4)
    layers = [
        _constant(0, "f32", (8,), len(weights)),
        _parameter(1, "indices", "i32", (count, 1)),
        _layer(
            2,
            "GatherND",
            'batch_dims="0"',
            _port(0, "f32", (8,)) + _port(1, "i32", (count, 1)),
            _port(2, "f32", (count,), "y"),
            opset="opset8",
        ),
        _result(3, "f32", (count,)),
    ]
    return SuiteModel((_ir(layers, ((0, 0, 2, 0), (1, 0, 2, 1), (2, 2, 3, 0))), weights))


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
    number: int,
    kind: str,
    data: str,
    inputs: str,
    outputs: str,
    name: str | None = None,
    opset: str = "opset1",
) -> str:
    parts = [
        f'<layer id="{number}" name="{name or f"{kind}_{number}"}" type="{kind}"'
        f' version="{opset}">',
        f"<data {data}/>" if data else "",
        f"<input>{inputs}</input>" if inputs else "",
        f"<output>{outputs}</output>" if outputs else "",
    ]
    return "".join([*parts, "</layer>"])


def _port(number: int, element: str, dims: Sequence[int], name: str | None = None) -> str:
    names = f' names="{name}"' if name else ""
    sizes = "".join(f"<dim>{size}</dim>" for size in dims)
    return f'<port id="{number}" precision="{_ELEMENT[element]}"{names}>{sizes}</port>'


OPENVINO = ModelFormat(
    name="openvino",
    title="OpenVINO",
    number=0,
    files=("model.xml", "model.bin"),
    types=tuple(element for element in TYPES if element != "f32"),
    add=add,
    subtract=subtract,
    two_outputs=two_outputs,
    dynamic=dynamic,
)
