"""Inputs that real models have: empty ones, scalars, and types without a number in wasi-nn."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from pipeline.host.backend import BackendError
from pipeline.host.backends.torch import TorchGraph
from pipeline.host.graph_registry import NamedGraph
from pipeline.host.model_types import Encoding
from pipeline.protobuf.wire import bytes_field
from tests.host.script import Ran, Script

ORT = {"backends": {Encoding.ONNX: "onnxruntime"}}
OPENVINO: dict[str, Any] = {}
both = pytest.mark.parametrize("options", [OPENVINO, ORT], ids=["openvino", "onnxruntime"])
U8, F32, I32 = 3, 1, 4


def onnx(nodes: list[Any], inputs: list[Any], outputs: list[Any], more: list[Any] = []) -> bytes:  # noqa: B006 - never changed
    from onnx import helper

    graph = helper.make_graph(nodes, "g", inputs, outputs, more)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


def value(name: str, kind: int, dims: Any) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, kind, dims)


def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    from onnx import helper

    return helper.make_node(kind, inputs, outputs, **attributes)


def infer(
    folder: Path, model: bytes, tensors: list[tuple[int, list[int], bytes]], options: dict[str, Any]
) -> tuple[Ran, bytes]:
    script = Script()
    script.call("load", script.builders(model), 1, 1, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    for index, (kind, dims, data) in enumerate(tensors):
        script.call("set_input", 0, index, script.tensor(kind, dims, data))
    script.call("compute", 0)
    out, size = script.room(256), script.room()
    script.call("get_output", 0, 0, out, 256, size)
    ran = script.run(folder, **options)
    return ran, ran.bytes_at(out, ran.u32(size)) if ran.errnos[-1] == 0 else b""


def growing_cache() -> bytes:
    """A cache of ``n`` rows to which two are appended."""
    return onnx(
        [node("Concat", ["past", "new"], ["y"], axis=0)],
        [value("past", 1, ["n", 4]), value("new", 1, [2, 4])],
        [value("y", 1, ["m", 4])],
    )


@both
def test_a_dynamic_axis_may_be_empty(tmp_path: Path, options: dict[str, Any]) -> None:
    new = numpy.ones((2, 4), "<f4").tobytes()
    ran, output = infer(
        tmp_path, growing_cache(), [(F32, [0, 4], b""), (F32, [2, 4], new)], options
    )
    assert ran.errnos == [0] * 6, ran.messages
    assert output == new


@both
@pytest.mark.parametrize(
    ("dims", "data"),
    [([2, 0], b""), ([0, 0xFFFFFFFF], b""), ([0, 4, 0xFFFFFFFF], b"")],
)
def test_an_axis_of_fixed_size_is_not_empty(
    tmp_path: Path, options: dict[str, Any], dims: list[int], data: bytes
) -> None:
    ran, _ = infer(tmp_path, growing_cache(), [(F32, dims, data)], options)
    assert ran.errnos[2] == 1


@both
def test_empty_axes_do_not_hide_a_product_that_overflows(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    model = onnx(
        [node("Relu", ["x"], ["y"])], [value("x", 1, ["a", "b", "c"])], [value("y", 1, "abc")]
    )
    ran, _ = infer(tmp_path, model, [(F32, [0, 0xFFFFFFFF, 0xFFFFFFFF], b"")], options)
    assert ran.errnos[2] == 1
    assert "too large" in ran.messages


@both
@pytest.mark.parametrize(("dims", "errno"), [([], 0), ([1], 0), ([2], 1), ([1, 1], 1)])
def test_a_scalar_is_given_with_no_axis_or_one(
    tmp_path: Path, options: dict[str, Any], dims: list[int], errno: int
) -> None:
    model = onnx([node("Relu", ["x"], ["y"])], [value("x", 1, [])], [value("y", 1, [])])
    count = 2 if dims == [2] else 1
    ran, output = infer(tmp_path, model, [(F32, dims, struct.pack("<f", 3) * count)], options)
    assert ran.errnos[2] == errno, ran.messages
    assert errno or output == struct.pack("<f", 3)


@both
@pytest.mark.parametrize(
    ("number", "name", "given", "expected"),
    [(9, "boolean", b"\0\1\1\0", b"\1\0\0\1"), (3, "i8", b"\xff\2\x81\0", b"\1\xfe\x7f\0")],
)
def test_booleans_and_bytes_with_a_sign_are_given_as_u8(
    tmp_path: Path,
    options: dict[str, Any],
    number: int,
    name: str,
    given: bytes,
    expected: bytes,
) -> None:
    kind = "Not" if name == "boolean" else "Neg"
    model = onnx([node(kind, ["x"], ["y"])], [value("x", number, [4])], [value("y", number, [4])])
    ran, output = infer(tmp_path, model, [(U8, [4], given)], options)
    assert ran.errnos == [0] * 5, ran.messages
    assert output == expected
    ran, _ = infer(tmp_path, model, [(I32, [4], given * 4)], options)
    assert ran.errnos[2] == 1
    assert f"is {name}, which is given as u8" in ran.messages


@both
def test_a_boolean_is_0_or_1(tmp_path: Path, options: dict[str, Any]) -> None:
    model = onnx([node("Not", ["x"], ["y"])], [value("x", 9, [4])], [value("y", 9, [4])])
    ran, _ = infer(tmp_path, model, [(U8, [4], b"\0\1\2\1")], options)
    assert ran.errnos[2] == 1
    assert "neither 0 nor 1" in ran.messages


def test_another_numbering_is_not_suggested_where_it_cannot_help(tmp_path: Path) -> None:
    model = onnx([node("Identity", ["x"], ["y"])], [value("x", 7, [1])], [value("y", 7, [1])])
    # Type 3 is u8, and was i32; the input is neither.
    ran, _ = infer(tmp_path, model, [(U8, [1], bytes(4))], ORT)
    assert ran.errnos[2] == 1
    assert "tensor_type_abi" not in ran.messages


def unranked(name: str) -> Any:
    made = value(name, 1, [])
    made.type.tensor_type.ClearField("shape")
    return made


@pytest.mark.parametrize("dims", [[2, 2], [4], [1, 2, 2]])
@pytest.mark.parametrize("named", [False, True])
def test_an_input_of_unknown_rank_is_not_a_scalar(
    tmp_path: Path, dims: list[int], named: bool
) -> None:
    model = onnx([node("Relu", ["x"], ["y"])], [unranked("x")], [unranked("y")])
    data = struct.pack("<4f", 1, -2, 3, 4)
    if named:
        (tmp_path / "net.onnx").write_bytes(model)
        graph = NamedGraph("net", tmp_path / "net.onnx", Encoding.ONNX)
        script = Script()
        script.call("load_by_name", script.put(b"net"), 3, script.room())
        script.call("init_execution_context", 0, script.room())
        script.call("set_input", 0, 0, script.tensor(F32, dims, data))
        assert script.run(tmp_path, graphs=[graph], **ORT).errnos == [0] * 3
        return
    ran, output = infer(tmp_path, model, [(F32, dims, data)], ORT)
    assert ran.errnos == [0] * 5, ran.messages
    assert output == struct.pack("<4f", 1, 0, 3, 4)


@pytest.mark.parametrize("named", [False, True])
def test_a_damaged_description_of_an_input_gives_5(tmp_path: Path, named: bool) -> None:
    # The tensor type in it claims more bytes than there are.
    value = bytes_field(1, b"x") + bytes_field(2, b"\x0a\x7f")
    model = bytes_field(7, bytes_field(11, value)) + bytes_field(8, b"")
    (tmp_path / "net.onnx").write_bytes(model)
    script = Script()
    if named:
        script.call("load_by_name", script.put(b"net"), 3, script.room())
    else:
        script.call("load", script.builders(model), 1, 1, 0, script.room())
    graph = NamedGraph("net", tmp_path / "net.onnx", Encoding.ONNX)
    ran = script.run(tmp_path, graphs=[graph], **ORT)
    assert ran.errnos == [5]
    assert "not an ONNX model" in ran.messages


def function_model() -> bytes:
    """A model with a function of its own, as newer exporters of PyTorch write them."""
    from onnx import helper

    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    square = helper.make_function(
        "mine", "Square", ["a"], ["b"], [node("Mul", ["a", "a"], ["b"])], opsets[:1]
    )
    graph = helper.make_graph(
        [helper.make_node("Square", ["x"], ["y"], domain="mine")],
        "g",
        [value("x", 1, [4])],
        [value("y", 1, [4])],
    )
    model = helper.make_model(graph, opset_imports=opsets, functions=[square])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.parametrize("model", ["unranked", "function"])
def test_what_openvino_lacks_is_advised_to_the_other_framework(tmp_path: Path, model: str) -> None:
    data = (
        function_model()
        if model == "function"
        else onnx([node("Relu", ["x"], ["y"])], [unranked("x")], [unranked("y")])
    )
    ran, _ = infer(tmp_path, data, [], OPENVINO)
    assert ran.errnos[0] == 5
    assert "`backends` onnx=onnxruntime" in ran.messages


def argument(name: str, kind: str = "Tensor") -> Any:
    return SimpleNamespace(name=name, type=kind, has_default_value=lambda: False)


@pytest.mark.parametrize("receiver", ["self", "this"])
def test_the_receiver_of_a_program_is_its_first_argument(receiver: str) -> None:
    schema = SimpleNamespace(
        arguments=[argument(receiver, "__torch__.Tiny"), argument("x"), argument("self.y")],
        returns=[argument("")],
    )
    graph = TorchGraph(SimpleNamespace(forward=SimpleNamespace(schema=schema)))
    assert [port.name for port in graph.inputs] == ["x", "self.y"]
    schema.arguments[2].type = "int"
    with pytest.raises(BackendError):
        TorchGraph(SimpleNamespace(forward=SimpleNamespace(schema=schema)))


def test_a_deprecated_program_gives_no_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    pytest.importorskip("torch")
    from tests.host.test_backends import torchscript

    script = Script()
    script.call("load", script.builders(torchscript()), 1, 3, 0, script.room())
    recwarn.clear()
    assert script.run(tmp_path, backends={Encoding.PYTORCH: "torch"}).errnos == [0]
    assert not [each for each in recwarn if each.category is FutureWarning]
