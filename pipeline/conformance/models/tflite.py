"""The models of the suite as TFLite (slots by their order in TensorFlow Lite's schema.fbs)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conformance.models.flatbuffer_writer import Data, FlatTable, Text, Vector, write
from pipeline.conformance.models.model import ADDED, ModelFormat, SuiteModel, numbers

_NUMBER = 4
_VERSION = 3
# TensorType.
_ELEMENTS = {"f32": 0, "i32": 2, "u8": 3, "i64": 4}
# BuiltinOperator, and the type of its options in the union BuiltinOptions.
_OPERATORS = {"add": (0, 11), "subtract": (41, 28), "cast": (53, 37)}
_ROW = (1, 4)


def add(element: str = "f32") -> SuiteModel:
    """Return y = x + [1, 2, 3, 4], both 1x4 of one type."""
    return _model(
        [_tensor("x", element), _tensor("w", element, buffer=1), _tensor("y", element)],
        [("add", (0, 1), 2)],
        inputs=(0,),
        outputs=(2,),
        constant=numbers(element, *ADDED),
    )


def subtract() -> SuiteModel:
    """Return y = a - b, all 1x4 f32."""
    return _model(
        [_tensor("a", "f32"), _tensor("b", "f32"), _tensor("y", "f32")],
        [("subtract", (0, 1), 2)],
        inputs=(0, 1),
        outputs=(2,),
    )


def two_outputs() -> SuiteModel:
    """Return x + [1, 2, 3, 4] as two outputs of f32 and i32, both 1x4."""
    tensors = [
        *(_tensor("x", "f32"), _tensor("w", "f32", buffer=1)),
        *(_tensor("sum", "f32"), _tensor("whole", "i32")),
    ]
    return _model(
        tensors,
        [("add", (0, 1), 2), ("cast", (2,), 3)],
        inputs=(0,),
        outputs=(2, 3),
        constant=numbers("f32", *ADDED),
    )


def dynamic() -> SuiteModel:
    """Return y = x + 1 for an f32 x with one dynamic axis."""
    tensors = [
        _tensor("x", "f32", (-1,)),
        _tensor("w", "f32", (1,), buffer=1),
        _tensor("y", "f32", (-1,)),
    ]
    return _model(
        tensors, [("add", (0, 1), 2)], inputs=(0,), outputs=(2,), constant=numbers("f32", 1)
    )


def _model(
    tensors: Sequence[FlatTable],
    operators: Sequence[tuple[str, Sequence[int], int]],
    *,
    inputs: Sequence[int],
    outputs: Sequence[int],
    constant: bytes | None = None,
) -> SuiteModel:
    """Return a model; ``operators`` are a name, the indices of inputs, and that of the output."""
    codes = [
        FlatTable({0: bytes([_OPERATORS[name][0]]), 2: 1, 3: _OPERATORS[name][0]})
        for name, _, _ in operators
    ]
    steps = [
        FlatTable(
            {
                0: at,
                1: Vector(list(given)),
                2: Vector([made]),
                3: bytes([_OPERATORS[name][1]]),
                4: FlatTable({}),
            }
        )
        for at, (name, given, made) in enumerate(operators)
    ]
    graph = FlatTable(
        {
            0: Vector(list(tensors)),
            1: Vector(list(inputs)),
            2: Vector(list(outputs)),
            3: Vector(steps),
        }
    )
    # By convention the first buffer is empty; tensors without data refer to it.
    buffers = (
        [FlatTable({})] if constant is None else [FlatTable({}), FlatTable({0: Data(constant)})]
    )
    model = FlatTable({0: _VERSION, 1: Vector(codes), 2: Vector([graph]), 4: Vector(buffers)})
    return SuiteModel((write(model, b"TFL3"),), _NUMBER)


def _tensor(name: str, element: str, dims: Sequence[int] = _ROW, *, buffer: int = 0) -> FlatTable:
    fields: dict[int, int | bytes | FlatTable | Vector | Text | Data] = {
        0: Vector([max(size, 1) for size in dims]),
        1: bytes([_ELEMENTS[element]]),
        2: buffer,
        3: Text(name),
    }
    if min(dims) < 0:
        fields[7] = Vector(list(dims))
    return FlatTable(fields)


TFLITE = ModelFormat(
    name="tensorflowlite",
    title="TFLite",
    number=_NUMBER,
    files=("model.tflite",),
    types=("i32", "i64"),
    add=add,
    subtract=subtract,
    two_outputs=two_outputs,
    dynamic=dynamic,
)
