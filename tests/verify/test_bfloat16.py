"""Models with inputs, outputs or rounding in bf16, which neither wasi-nn nor NumPy has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import flatbuffers
import numpy
import onnx
import openvino
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from pipeline.cli.new.inputs import Overrides, draft_input
from pipeline.cli.new.terminal_prompts import asker
from pipeline.config.model_tables import Framework, Golden, Model, ModelInput, ModelOutput
from pipeline.errors import PipelineError
from pipeline.model.convert.make_ir import make_ir
from pipeline.model.convert.request import Interface, Port, Request
from pipeline.model.inspect.inspect_model import inspect_network
from pipeline.model.inspect.model_interface import TensorInfo
from pipeline.verify.bfloat16 import in_bf16, outputs_in_bf16, rounds_to_bf16
from pipeline.verify.descriptor import descriptor_text
from pipeline.verify.evidence import GoldenResult
from pipeline.verify.executors.reference_executor import InferenceRequest, InferenceResult
from pipeline.verify.golden import compare_with_source, infer_source, source_input
from pipeline.verify.noise_floor import moved
from tests.verify.test_check_conversion import checked, converted

BF16, FLOAT = TensorProto.BFLOAT16, TensorProto.FLOAT
PYTHON = Path(sys.executable)
# The middle of two neighbours in bf16, 1 and 1.0078125, goes to the even one.
VALUES = numpy.array([[0.1, -3.14159, 1.00390625, 1e30, 0, 0.7]], numpy.float32)
ROUNDED = [0.10009765625, -3.140625, 1.0, 1.0002555517425873e30, 0.0, 0.69921875]
CARRIED = {
    "inputs": {"x": ModelInput(shape=(1, 6), type="f32")},
    "outputs": {name: ModelOutput(type="f32") for name in ("y", "same")},
}


def write_bf16(path: Path) -> Path:
    """Write a model that takes bf16, doubles it in f32, and answers in bf16; and what it took."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
            helper.make_node("Mul", ["f", "w"], ["z"]),
            helper.make_node("Cast", ["z"], ["y"], to=BF16),
            helper.make_node("Identity", ["x"], ["same"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", BF16, [1, 6])],
        [helper.make_tensor_value_info(name, BF16, [1, 6]) for name in ("y", "same")],
        [numpy_helper.from_array(numpy.array([1.7], numpy.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def source_result(folder: Path, path: Path, array: Any) -> InferenceResult:
    folder.mkdir()
    request = InferenceRequest(
        files={"model": path},
        inputs={"x": array},
        outputs=["y", "same"],
        architecture=None,
        folder=folder,
        python=PYTHON,
        seconds=60,
    )
    return infer_source("onnxruntime", request, rounded=False, bf16=True)


def test_onnx_runtime_takes_and_gives_bf16(tmp_path: Path) -> None:
    path = write_bf16(tmp_path / "net.onnx")
    result = source_result(tmp_path / "source", path, VALUES)
    y, same = result.outputs
    assert same.dtype == numpy.float32
    assert same.ravel().tolist() == ROUNDED
    assert y.ravel().tolist() == in_bf16(same * numpy.float32(1.7)).ravel().tolist()
    # A rounding error of bf16 is one that it sees.
    assert any((other[1] != same).any() for other in result.others)


def test_an_ir_with_bf16_ports_is_compared_in_that(tmp_path: Path) -> None:
    path = write_bf16(tmp_path / "net.onnx")
    table, xml = converted(tmp_path, path)
    network = openvino.Core().read_model(xml)
    assert network.inputs[0].element_type.get_type_name() == "bf16"
    found = checked(tmp_path, path, table, xml)
    assert found.golden is not None, found
    assert {name: each.agrees for name, each in found.golden.outputs.items()} == {
        "y": True,
        "same": True,
    }


def compared(folder: Path, model: Model, path: Path, xml: Path, factor: float) -> GoldenResult:
    given = ModelInput(shape=(1, 6), type="f32")
    result = source_result(folder, path, source_input(VALUES, given))
    network = openvino.Core().compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = network(VALUES)
    outputs = {name: answer[index] for index, name in enumerate(("y", "same"))}
    outputs["y"] = outputs["y"] * numpy.float32(factor)
    assert {array.dtype for array in outputs.values()} == {numpy.dtype(numpy.float32)}
    golden = Golden(executor="onnxruntime")
    return compare_with_source(golden, model, xml, {"x": VALUES}, outputs, result, rounded=False)


def test_f32_carries_bf16_and_the_bound_is_that_of_bf16(tmp_path: Path) -> None:
    path = write_bf16(tmp_path / "net.onnx")
    model, xml = converted(tmp_path, path, **CARRIED)
    right = compared(tmp_path / "right", model, path, xml, 1.0)
    assert {name: each.agrees for name, each in right.outputs.items()} == {"y": True, "same": True}
    wrong = compared(tmp_path / "wrong", model, path, xml, 1.3)
    assert {name: each.agrees for name, each in wrong.outputs.items()} == {"y": False, "same": True}


def test_an_output_may_be_rounded_to_bf16_where_inputs_have_no_noise(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
            helper.make_node("Mul", ["f", "w"], ["z"]),
            helper.make_node("Cast", ["z"], ["y"], to=BF16),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 6])],
        [helper.make_tensor_value_info("y", BF16, [1, 6])],
        [numpy_helper.from_array(numpy.array([1.7], numpy.float32), "w")],
    )
    path = tmp_path / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    carried = {"y": ModelOutput(type="f32")}
    found = checked(tmp_path, path, *converted(tmp_path, path, outputs=carried))
    assert found.golden is not None, found
    assert found.golden.outputs["y"].agrees
    assert not found.golden.outputs["y"].floor


def test_where_an_ir_rounds_to_bf16_is_seen(tmp_path: Path) -> None:
    path = write_bf16(tmp_path / "net.onnx")
    _, xml = converted(tmp_path, path, **CARRIED)
    assert rounds_to_bf16(xml)
    assert outputs_in_bf16(xml) == [True, True]


def test_an_ir_as_source_model_takes_bf16(tmp_path: Path) -> None:
    """As in a project whose model is an IR, with another executor or with openvino itself."""
    _, xml = converted(tmp_path, write_bf16(tmp_path / "net.onnx"))
    folder = tmp_path / "source"
    folder.mkdir()
    request = InferenceRequest(
        files={"model": xml, "weights": xml.with_suffix(".bin")},
        inputs={"x": VALUES},
        outputs=["same"],
        architecture=None,
        folder=folder,
        python=PYTHON,
        seconds=60,
    )
    [same] = infer_source("openvino", request, rounded=False, bf16=True).outputs
    assert same.ravel().tolist() == ROUNDED


def test_an_operation_without_kernel_is_named(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", BF16, [1, 6])],
        [helper.make_tensor_value_info("y", BF16, [1, 6])],
    )
    path = tmp_path / "net.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    found = checked(tmp_path, path, *converted(tmp_path, path))
    assert found.golden is None
    assert "no kernel for an operation of the model: Add of opset 14" in found.skipped


@pytest.mark.parametrize("shape", [(1, 6), (1, 3, 32, 32)], ids=["values", "a picture"])
def test_new_drafts_bf16_as_f32(shape: tuple[int, ...]) -> None:
    framework: Framework = "onnx"
    info = TensorInfo(name="x", type="bf16", shape=shape)
    drafted = draft_input(info, framework, Overrides(), False, asker(quiet=True))
    assert drafted.declared["type"] == drafted.without["type"] == "f32"
    # Not as integers are: bytes from 0 to 255 would be raw pixels.
    assert drafted.picture.get("range", "0-1") == "0-1"


@pytest.mark.parametrize(
    ("own", "hint"), [("bf16", 'Set type = "f32"'), ("u32", 'Set type = "i64"')]
)
def test_a_port_of_another_type_is_refused_with_the_type_to_set(own: str, hint: str) -> None:
    port = Port(name="y", names=("y",), shape=(1, 6), type=own)
    with pytest.raises(PipelineError, match="element type that wasi-nn cannot carry") as raised:
        descriptor_text(Interface(inputs=(), outputs=(port,)), [], {"a": {}})
    assert raised.value.hint.startswith(hint)


def test_one_unit_in_the_last_place_of_bf16_moves_an_element() -> None:
    values = in_bf16(numpy.linspace(0.5, 100, 50))
    for draw in moved({"x": values}, quantised=False, bf16=True):
        steps = numpy.abs(draw["x"] - values) / numpy.spacing(values)
        assert set(steps.ravel().tolist()) == {2.0**16}
        assert (in_bf16(draw["x"]) != values).all()


def test_f16_carries_what_it_holds_of_bf16(tmp_path: Path) -> None:
    """OpenVINO's Python names f16 as the type of both."""
    path = write_bf16(tmp_path / "net.onnx")
    work = tmp_path / "work"
    work.mkdir()
    model = Model(
        framework="onnx",
        files={},
        inputs={"x": ModelInput(shape=(1, 6), type="f16")},
        outputs={"y": ModelOutput(type="f32"), "same": ModelOutput(type="f16")},
        precision="f32",
    )
    request = Request(name="net", model=model, files={"model": path}, python=PYTHON, seconds=120)
    xml, weights = make_ir(request, work)
    weights.with_suffix(".xml").write_bytes(xml)
    network = openvino.Core().compile_model(
        weights.with_suffix(".xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    given = numpy.array([[0.5, -3.0, 1.0, 1024.0, 0.0, 2.0]], numpy.float16)
    assert network(given)[1].tolist() == given.tolist()


def write_tflite(path: Path, kind: int) -> Path:
    """Write a TFLite model that negates a tensor of an element type."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.NEG
    graph = schema.SubGraphT()
    graph.tensors = []
    for name in ("x", "y"):
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape, tensor.buffer = name, kind, [1, 6], 0
        graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [1]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers = 3, [code], [schema.BufferT()]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


@pytest.mark.parametrize(
    ("kind", "named"),
    [("BFLOAT16", "BFLOAT16"), ("FLOAT8_E5M2", "one that is newer than OpenVINO")],
)
def test_an_element_type_that_openvino_lacks_in_tflite_is_named(
    tmp_path: Path, kind: str, named: str
) -> None:
    path = write_tflite(tmp_path / "net.tflite", getattr(schema.TensorType, kind))
    with pytest.raises(PipelineError, match="an element type that OpenVINO cannot conv") as raised:
        converted(tmp_path, path)
    assert raised.value.found == named
    with pytest.raises(PipelineError, match="an element type that OpenVINO cannot read") as raised:
        inspect_network(path)
    assert raised.value.found == named
