"""Models of guests whose numbers would lead a kernel out of its tensors."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy
import openvino
import pytest
from openvino import opset15 as op

from pipeline.conformance.models import ir as suite_ir
from pipeline.conformance.models import onnx
from pipeline.host import node_check
from pipeline.host.backend import BackendError
from pipeline.host.constant_pads import has_constant_pads
from pipeline.host.model_types import Encoding
from pipeline.host.node_check import SafeModels, safe_model
from pipeline.host.node_check_program import CHECKED, Unsafe, make_safe
from tests.host.conftest import Ir
from tests.host.script import Ran, Script

DATA = numpy.arange(1, 13, dtype=numpy.float32).reshape(3, 4)
F32, I64 = 1, 5


def parameter(shape: list[int], kind: Any = numpy.float32, name: str = "x") -> Any:
    return op.parameter(shape, kind, name=name)


def graph(node: Any, inputs: list[Any]) -> Any:
    return openvino.Model([op.result(node)], inputs, "g")


def ir(model: Any, folder: Path) -> tuple[bytes, bytes]:
    openvino.serialize(model, folder / "m.xml", folder / "m.bin")
    return (folder / "m.xml").read_bytes(), (folder / "m.bin").read_bytes()


def gather_nd(shape: list[int], width: int = 1, batch: int = 0, kind: Any = numpy.int64) -> Any:
    data, indices = parameter(shape), parameter([-1, width], kind, "i")
    return graph(op.gather_nd(data, indices, batch), [data, indices])


def computed(model: Any, *tensors: Any) -> Any:
    compiled = openvino.Core().compile_model(model, "CPU")
    return compiled.create_infer_request().infer(list(tensors))[0]


@pytest.mark.parametrize("kind", [numpy.int64, numpy.int32])
@pytest.mark.parametrize("shape", [[3, 4], [-1, -1]])
def test_indices_of_gather_nd_stay_in_the_data(shape: list[int], kind: Any) -> None:
    model = gather_nd(shape, kind=kind)
    assert make_safe(model)
    indices = numpy.array([[0], [2], [-1], [-3], [3], [-4], [2**31 - 1], [-(2**31)]], kind)
    rows = [0, 2, 2, 0, 2, 0, 2, 0]
    assert (computed(model, DATA, indices) == DATA[rows]).all()


def test_gather_nd_of_several_axes_and_of_batches() -> None:
    model = gather_nd([3, 4], width=2)
    assert make_safe(model)
    indices = numpy.array([[1, 2], [1, 9], [9, -9], [-1, -1]], numpy.int64)
    assert list(computed(model, DATA, indices)) == [7, 8, 9, 12]
    data, each = parameter([3, 4]), parameter([3, 1], numpy.int64, "i")
    model = graph(op.gather_nd(data, each, 1), [data, each])
    assert make_safe(model)
    found = computed(model, DATA, numpy.array([[7], [-7], [1]], numpy.int64))
    assert list(found) == [4, 5, 10]


def test_gather_nd_of_no_data_finds_zeros() -> None:
    model = gather_nd([-1, 4])
    assert make_safe(model)
    empty = numpy.zeros((0, 4), numpy.float32)
    found = computed(model, empty, numpy.array([[0], [5], [-5]], numpy.int64))
    assert (found == numpy.zeros((3, 4))).all()


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_indices_of_scatter_stay_in_the_data(reduction: str) -> None:
    data, indices = parameter([3, 4]), parameter([1, 4], numpy.int64, "i")
    updates = parameter([1, 4], name="u")
    node = op.scatter_elements_update(
        data, indices, updates, op.constant(numpy.int64(0)), reduction, True
    )
    model = graph(node, [data, indices, updates])
    assert make_safe(model)
    given = numpy.array([[-1, -3, -4, -5]], numpy.int64)
    found = computed(model, DATA, given, numpy.full((1, 4), 100, numpy.float32))
    expected = DATA.copy()
    for column, row in enumerate((2, 0, 0, 0)):
        expected[row, column] = 100 + (DATA[row, column] if reduction == "sum" else 0)
    assert (found == expected).all()


def scatter(data_shape: list[int], shape: list[int]) -> Any:
    data, indices = parameter(data_shape), parameter(shape, numpy.int64, "i")
    updates = parameter(shape, name="u")
    node = op.scatter_elements_update(data, indices, updates, op.constant(numpy.int64(0)))
    return graph(node, [data, indices, updates])


def test_a_scatter_wider_than_its_data_is_refused() -> None:
    with pytest.raises(Unsafe, match="larger than its data"):
        make_safe(scatter([3, 4], [1, 5]))


@pytest.mark.parametrize("data_shape", [[3, 4], [-1, -1]])
@pytest.mark.parametrize("width", [2, 4, 500])
def test_a_scatter_that_may_be_wider_than_its_data_is_cut_off(
    data_shape: list[int], width: int
) -> None:
    model = scatter(data_shape, [-1, -1])
    assert make_safe(model)
    updates = numpy.arange(width, dtype=numpy.float32).reshape(1, width)
    found = computed(model, DATA, numpy.full((1, width), 1, numpy.int64), updates)
    expected = DATA.copy()
    expected[1, : min(width, 4)] = updates[0, :4]
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [(1, 0, [0, 1, 2, 3]), (-1, 0, [2, 3]), (5, -8, [0] * 5), (-8, 2, [0, 0]), (-2, -2, [])],
)
def test_computed_padding_cuts_off_no_more_than_the_data(
    begin: int, end: int, expected: list[int]
) -> None:
    data = parameter([3])
    sizes = [parameter([1], numpy.int64, name) for name in ("b", "e")]
    model = graph(op.pad(data, *sizes, "constant", op.constant(numpy.float32(0))), [data, *sizes])
    assert make_safe(model)
    given = [numpy.array([each], numpy.int64) for each in (begin, end)]
    assert list(computed(model, DATA[0, :3].copy(), *given)) == expected


def test_constant_padding_is_left_alone() -> None:
    data = parameter([3])
    one = op.constant(numpy.array([1], numpy.int64))
    assert not make_safe(graph(op.pad(data, one, one, "constant"), [data]))


@pytest.mark.parametrize(
    ("begins", "certain"), [([0, 1], True), ([0, -1], False), ("computed", False)]
)
def test_an_ir_whose_pads_are_constant_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begins: Any, certain: bool
) -> None:
    data, sizes = parameter([3, 4]), parameter([2], numpy.int64, "b")
    constant = op.constant(numpy.array([1, 0], numpy.int32))
    first = sizes if begins == "computed" else op.constant(numpy.array(begins, numpy.int32))
    last = op.constant(numpy.array([1, 0], numpy.int64)) if begins == "computed" else constant
    inputs = [data, sizes] if begins == "computed" else [data]
    xml, weights = ir(graph(op.pad(data, first, last, "constant"), inputs), tmp_path)
    assert b'"Pad"' in xml
    assert has_constant_pads(xml, weights) == certain
    assert not has_constant_pads(xml, weights[:-30])
    assert not has_constant_pads(xml.replace(b"</net>", b""), weights)
    assert not has_constant_pads(
        xml.replace(
            b"<edges>",
            b'<edges><edge from-layer="0" '
            b'from-port="0" to-layer="9" to-port="1"/><edge from-layer="0" from-port="0" '
            b'to-layer="9" to-port="1"/>',
        ),
        weights,
    )
    started: list[object] = []
    monkeypatch.setattr(node_check, "_run", lambda *given: started.append(given))
    safe_model(Encoding.OPENVINO, [bytearray(xml), bytearray(weights)])
    assert bool(started) != certain


@pytest.mark.parametrize("kind", [numpy.int8, numpy.float16])
def test_weights_stay_compressed(kind: Any) -> None:
    """What steers a kernel may be computed from constants; weights are not unpacked for that."""
    weights = numpy.arange(-32, 32, dtype=kind).reshape(8, 8)
    data, indices = parameter([2, 8]), parameter([1, 1], numpy.int64, "i")
    scale = op.constant(numpy.float32(0.1))
    table = op.multiply(op.convert(op.constant(weights), "f32"), scale)
    one = op.add(op.constant(numpy.array([0, 1])), op.constant(numpy.array([0, 0])))
    padded = op.pad(op.matmul(data, table, False, False), one, one, "constant", scale)
    model = graph(op.gather_nd(padded, indices), [data, indices])
    given = numpy.linspace(-1, 1, 16, dtype=numpy.float32).reshape(2, 8), numpy.array([[1]])
    before = computed(model.clone(), *given)
    assert make_safe(model)
    constants = [each.data for each in model.get_ops() if each.get_type_name() == "Constant"]
    assert [each.dtype for each in constants if each.shape == weights.shape] == [kind]
    assert computed(model, *given).tobytes() == before.tobytes()


def test_lengths_of_a_decoder_are_not_negative() -> None:
    data, lengths = parameter([1, 3, 4]), parameter([1], numpy.int64, "n")
    model = graph(op.ctc_greedy_decoder_seq_len(data, lengths), [data, lengths])
    assert make_safe(model)
    found = computed(model, DATA.reshape(1, 3, 4), numpy.array([-(2**31)], numpy.int64))
    assert found.tolist() == [[-1, -1, -1]]


def computed_roll() -> Any:
    data, axes = parameter([3, 4]), parameter([1], numpy.int64, "a")
    return graph(op.roll(data, op.constant(numpy.array([1], numpy.int64)), axes), [data, axes])


def computed_split() -> Any:
    data, lengths = parameter([3, 4]), parameter([2], numpy.int64, "n")
    split = op.variadic_split(data, op.constant(numpy.int64(1)), lengths)
    results = [op.result(split.output(index)) for index in (0, 1)]
    return openvino.Model(results, [data, lengths], "g")


def regions() -> Any:
    data, rois = parameter([1, 4, 3, 4]), parameter([1, 5], name="r")
    return graph(op.psroi_pooling(data, rois, 1, 2, 1.0, 1, 1, "average"), [data, rois])


def lottery() -> Any:
    data = parameter([1, 3])
    count = op.constant(numpy.array([4], numpy.int64))
    return graph(op.multinomial(data, count, "i64", True, False), [data])


REFUSED = {
    "Roll": computed_roll,
    "VariadicSplit": computed_split,
    "PSROIPooling": regions,
    "Multinomial": lottery,
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_not_be_made_safe_is_refused(kind: str) -> None:
    with pytest.raises(Unsafe, match=kind):
        make_safe(REFUSED[kind]())


def nested() -> Any:
    """A GatherND in a branch of a condition."""
    data, indices, choice = (
        parameter([3, 4]),
        parameter([1, 1], numpy.int64, "i"),
        op.parameter([], numpy.bool_, name="c"),
    )
    bodies = []
    for _ in range(2):
        inner = [parameter([3, 4]), parameter([1, 1], numpy.int64, "i")]
        bodies.append((graph(op.gather_nd(*inner), inner), inner))
    node = op.if_op(choice)
    node.set_then_body(bodies[0][0])
    node.set_else_body(bodies[1][0])
    for index, outer in enumerate((data, indices)):
        node.set_input(outer.output(0), bodies[0][1][index], bodies[1][1][index])
    found = node.set_output(bodies[0][0].results[0], bodies[1][0].results[0])
    return openvino.Model([op.result(found)], [data, indices, choice], "g")


def test_nested_graphs_are_looked_into() -> None:
    model = nested()
    assert make_safe(model)
    found = computed(model, DATA, numpy.array([[9]], numpy.int64), numpy.array(True))
    assert (found == DATA[2:]).all()


def infer(folder: Path, parts: list[bytes], encoding: int, index: int) -> tuple[Ran, int]:
    script = Script()
    script.call("load", script.builders(*parts), len(parts), encoding, 0, script.room())
    script.call("init_execution_context", 0, script.room())
    script.call("set_input", 0, 0, script.tensor(F32, [3, 4], DATA.tobytes()))
    script.call("set_input", 0, 1, script.tensor(I64, [1, 1], struct.pack("<q", index)))
    script.call("compute", 0)
    out = script.room(16)
    script.call("get_output", 0, 0, out, 16, script.room())
    return script.run(folder), out


def onnx_gather_nd() -> bytes:
    from onnx import helper

    made = helper.make_graph(
        [helper.make_node("GatherND", ["x", "i"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("x", 1, [3, 4]),
            helper.make_tensor_value_info("i", 7, [1, 1]),
        ],
        [helper.make_tensor_value_info("y", 1, [1, 4])],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.parametrize("index", [3, -4, 12, 2**40])
@pytest.mark.parametrize("form", ["ir", "hidden ir", "onnx"])
def test_a_guest_gets_no_memory_of_the_host(tmp_path: Path, form: str, index: int) -> None:
    if form == "onnx":
        parts, encoding = [onnx_gather_nd()], 1
    else:
        xml, weights = ir(gather_nd([3, 4]), tmp_path)
        if form == "hidden ir":
            xml = xml.replace(b'"GatherND"', b'"Gather&#78;D"')
        parts, encoding = [xml, weights], 0
    ran, out = infer(tmp_path, parts, encoding, index)
    assert ran.errnos == [0] * 6, ran.messages
    row = numpy.frombuffer(ran.bytes_at(out, 16), "<f4")
    assert row.tolist() in DATA.tolist()


def test_an_ir_in_utf_16_is_refused(tmp_path: Path) -> None:
    xml, weights = ir(gather_nd([3, 4]), tmp_path)
    ran, _ = infer(tmp_path, [xml.decode().encode("utf-16"), weights], 0, 3)
    assert ran.errnos[0] == 5


def test_a_guest_is_told_which_node_it_may_not_have(tmp_path: Path) -> None:
    script = Script()
    script.load(*ir(regions(), tmp_path), script.room())
    ran = script.run(tmp_path)
    assert ran.errnos == [5]
    assert "a guest's model may not have this PSROIPooling" in ran.messages


def test_an_ir_without_such_nodes_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, models: dict[str, Ir]
) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", run)
    parts = [bytearray(models["add"].xml), bytearray(models["add"].bin)]
    assert safe_model(Encoding.OPENVINO, parts) == (Encoding.OPENVINO, parts)


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("kind", CHECKED)
def test_every_node_of_concern_is_looked_for(kind: str, quote: str) -> None:
    assert node_check._TYPE.search(f"<layer type ={quote}{kind}{quote}/>".encode())
    assert not node_check._TYPE.search(f"<layer type ={quote}Not{kind}{quote}/>".encode())


def test_a_model_that_is_loaded_again_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run = node_check._run
    read: list[str] = []

    def counted(folder: Path, frontend: str, name: str) -> None:
        read.append(name)
        run(folder, frontend, name)

    monkeypatch.setattr(node_check, "_run", counted)
    models = SafeModels()
    parts = [bytearray(onnx.add().parts[0])]
    first = models.get(Encoding.ONNX, parts)
    assert first[0].startswith(b"<?xml")
    assert models.get(Encoding.ONNX, [bytearray(parts[0])]) is first
    assert read == ["model.onnx"]
    # Of an IR that needs no look nothing is kept, and of others the last.
    plain = [bytearray(part) for part in suite_ir.add().parts]
    assert models.get(Encoding.OPENVINO, plain) is plain
    assert models.get(Encoding.ONNX, parts) is first
    other = [bytearray(onnx.subtract().parts[0])]
    assert models.get(Encoding.ONNX, other) != first
    assert models.get(Encoding.ONNX, parts) == first
    assert read == ["model.onnx"] * 3
    monkeypatch.setattr(node_check, "_REMEMBERED", 10)
    small = SafeModels()
    assert small.get(Encoding.ONNX, parts) == small.get(Encoding.ONNX, parts)
    assert len(read) == 5
    # The same bytes as another encoding are another model.
    with pytest.raises(BackendError):
        models.get(Encoding.TENSORFLOWLITE, parts)
