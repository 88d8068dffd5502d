"""The models of the suite as ONNX, opset 14 (fields by their numbers in onnx.proto)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.models.model import ADDED, ModelFormat, SuiteModel, numbers
from pipeline.conformance.models.protobuf_field import field

_NUMBER = 1
_OPSET = 14
# TensorProto.DataType.
_ELEMENTS = {"f32": 1, "u8": 2, "i32": 6, "i64": 7, "f16": 10, "f64": 11}
_ROW = (1, 4)
_INT_ATTRIBUTE = 2
# Fields of TensorProto.
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def add(element: str = "f32") -> SuiteModel:
    """Return y = x + [1, 2, 3, 4], both 1x4 of one type."""
    return _model(
        [_node("Add", ("x", "w"), "y")],
        constants=[_constant("w", element, _ROW, numbers(element, *ADDED))],
        inputs=[_value("x", element, _ROW)],
        outputs=[_value("y", element, _ROW)],
    )


def subtract() -> SuiteModel:
    """Return y = a - b, all 1x4 f32."""
    return _model(
        [_node("Sub", ("a", "b"), "y")],
        inputs=[_value("a", "f32", _ROW), _value("b", "f32", _ROW)],
        outputs=[_value("y", "f32", _ROW)],
    )


def two_outputs() -> SuiteModel:
    """Return x + [1, 2, 3, 4] as two outputs of f32 and i32, both 1x4."""
    to = field(5, field(1, b"to") + field(3, _ELEMENTS["i32"]) + field(20, _INT_ATTRIBUTE))
    return _model(
        [_node("Add", ("x", "w"), "sum"), _node("Cast", ("sum",), "whole", to)],
        constants=[_constant("w", "f32", _ROW, numbers("f32", *ADDED))],
        inputs=[_value("x", "f32", _ROW)],
        outputs=[_value("sum", "f32", _ROW), _value("whole", "i32", _ROW)],
    )


def dynamic() -> SuiteModel:
    """Return y = x + 1 for an f32 x with one dynamic axis."""
    return _model(
        [_node("Add", ("x", "w"), "y")],
        constants=[_constant("w", "f32", (1,), numbers("f32", 1))],
        inputs=[_value("x", "f32", ("n",))],
        outputs=[_value("y", "f32", ("n",))],
    )


def external(location: str, offset: int = 0, *, hidden: bool = False) -> SuiteModel:
    """Return `add` whose constant is 16 bytes of a file, or of what else ``location`` means.

    With ``hidden`` the tag of the reference has bits above 32, which protobuf ignores and a reader
    of 64-bit tags takes for another field.
    """
    entries = (("location", location), ("offset", str(offset)), ("length", "16"))
    references = [field(1, key.encode()) + field(2, value.encode()) for key, value in entries]
    tag = _EXTERNAL_DATA + (1 << 32 - 3 if hidden else 0)
    constant = _constant("w", "f32", _ROW, None)
    constant += b"".join(field(tag, reference) for reference in references)
    return _model(
        [_node("Add", ("x", "w"), "y")],
        constants=[constant + field(_DATA_LOCATION, 1)],
        inputs=[_value("x", "f32", _ROW)],
        outputs=[_value("y", "f32", _ROW)],
    )


def _model(
    nodes: Sequence[bytes],
    *,
    constants: Sequence[bytes] = (),
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
) -> SuiteModel:
    graph = b"".join(field(1, node) for node in nodes) + field(2, b"model")
    graph += b"".join(field(5, constant) for constant in constants)
    graph += b"".join(field(11, each) for each in inputs)
    graph += b"".join(field(12, each) for each in outputs)
    opset = field(1, b"") + field(2, _OPSET)
    return SuiteModel((field(1, 8) + field(7, graph) + field(8, opset),), _NUMBER)


def _node(operator: str, inputs: Sequence[str], output: str, attribute: bytes = b"") -> bytes:
    names = b"".join(field(1, name.encode()) for name in inputs) + field(2, output.encode())
    return names + field(4, operator.encode()) + attribute


def _constant(name: str, element: str, dims: Sequence[int], data: bytes | None) -> bytes:
    sizes = b"".join(field(1, size) for size in dims)
    constant = sizes + field(2, _ELEMENTS[element]) + field(8, name.encode())
    return constant if data is None else constant + field(9, data)


def _value(name: str, element: str, dims: Sequence[int | str]) -> bytes:
    sizes = b"".join(
        field(1, field(1, size) if isinstance(size, int) else field(2, size.encode()))
        for size in dims
    )
    tensor = field(1, _ELEMENTS[element]) + field(2, sizes)
    return field(1, name.encode()) + field(2, field(1, tensor))


ONNX = ModelFormat(
    name="onnx",
    title="ONNX",
    number=_NUMBER,
    files=("model.onnx",),
    types=("f16", "f64", "u8", "i32", "i64"),
    add=add,
    subtract=subtract,
    two_outputs=two_outputs,
    dynamic=dynamic,
)
