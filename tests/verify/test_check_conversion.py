"""A conversion is compared with its source model on a seeded input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import flatbuffers
import numpy
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from pipeline.cache.json_decoding import decode_json
from pipeline.config.model_tables import Framework, Model, ModelInput
from pipeline.execution.action import Job
from pipeline.model.convert.make_ir import make_ir
from pipeline.model.convert.request import Request
from pipeline.verify.check_conversion import ConversionCheck, check_conversion
from pipeline.verify.golden import disagreements

PYTHON = Path(sys.executable)
FLOAT = TensorProto.FLOAT
GENERATOR = numpy.random.default_rng(7)


def value(name: str, kind: int, *shape: int | str | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any
) -> Path:
    """Write an ONNX model."""
    constants = [numpy_helper.from_array(each, name) for name, each in weights.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, constants)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def two_layers(path: Path) -> Path:
    """Write a model of two outputs: a product, and its sigmoid."""
    weights = GENERATOR.standard_normal((16, 4)).astype(numpy.float32)
    return save(
        path,
        [
            helper.make_node("MatMul", ["x", "w"], ["scores"]),
            helper.make_node("Sigmoid", ["scores"], ["shares"]),
        ],
        [value("x", FLOAT, 1, 16)],
        [value("scores", FLOAT, 1, 4), value("shares", FLOAT, 1, 4)],
        w=weights,
    )


def converted(folder: Path, path: Path, **model: Any) -> tuple[Model, Path]:
    """Convert a model; return its table, and the xml with its .bin beside it."""
    framework: Framework = "tflite" if path.suffix == ".tflite" else "onnx"
    table = Model(framework=framework, files={}, **{"inputs": {}, "precision": "f32", **model})
    work = folder / "work"
    work.mkdir()
    request = Request(name="net", model=table, files={"model": path}, python=PYTHON, seconds=120)
    xml, weights = make_ir(request, work)
    weights.with_suffix(".xml").write_bytes(xml)
    return table, weights.with_suffix(".xml")


def checked(folder: Path, path: Path, table: Model, xml: Path) -> ConversionCheck:
    scratch = folder / "scratch"
    scratch.mkdir()
    job = Job(
        inputs={"xml": xml, "file.model": path},
        outputs={"check": folder / "check.json"},
        parameters={},
        scratch=scratch,
        unkeyed={"model": table, "python": PYTHON},
    )
    check_conversion(job)
    return decode_json(job.outputs["check"].read_bytes(), ConversionCheck)


def agreement(folder: Path, path: Path, **model: Any) -> dict[str, bool]:
    found = checked(folder, path, *converted(folder, path, **model))
    assert found.golden is not None, found
    return {name: each.agrees for name, each in found.golden.outputs.items()}


def test_a_right_conversion_agrees(tmp_path: Path) -> None:
    path = two_layers(tmp_path / "net.onnx")
    assert agreement(tmp_path, path) == {"scores": True, "shares": True}


def test_a_wrong_weight_is_found_and_the_first_output_named(tmp_path: Path) -> None:
    path = two_layers(tmp_path / "net.onnx")
    table, xml = converted(tmp_path, path)
    weights = xml.with_suffix(".bin")
    array = numpy.frombuffer(weights.read_bytes(), numpy.float32).copy()
    array[5] += numpy.float32(1e-3)
    weights.write_bytes(array.tobytes())
    found = checked(tmp_path, path, table, xml)
    assert found.golden is not None
    assert "Output scores of the IR" in disagreements(found.golden, "net.onnx")[0].message


@pytest.mark.parametrize(
    "given",
    [
        ModelInput(shape=(), mean=(10.0, 20.0, 30.0), scale=(2.0, 3.0, 4.0)),
        ModelInput(shape=(), reverse_channels=True, mean=(1.0,)),
        ModelInput(shape=(), reverse_channels=True, model_layout="NHWC"),
    ],
    ids=["mean and scale", "reversed, one mean", "with its layout"],
)
def test_preprocessing_inside_the_ir_is_done_outside_of_the_source(
    tmp_path: Path, given: ModelInput
) -> None:
    last = given.model_layout == "NHWC"
    shape = (1, 6, 6, 3) if last else (1, 3, 6, 6)
    factors = numpy.array([1, 10, 100], numpy.float32).reshape((3,) if last else (3, 1, 1))
    path = save(
        tmp_path / "net.onnx",
        [helper.make_node("Mul", ["x", "factors"], ["y"])],
        [value("x", FLOAT, *shape)],
        [value("y", FLOAT, *shape)],
        factors=factors,
    )
    assert agreement(tmp_path, path, inputs={"*": given}) == {"y": True}


@pytest.mark.parametrize(
    "kind", ["BOOL", "INT8", "UINT8", "INT16", "UINT16", "INT32", "UINT32", "INT64", "UINT64"]
)
def test_the_source_gets_its_own_type(tmp_path: Path, kind: str) -> None:
    own = getattr(TensorProto, kind)
    path = save(
        tmp_path / "net.onnx",
        [
            helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
            helper.make_node("Mul", ["f", "w"], ["y"]),
            helper.make_node("Identity", ["x"], ["same"]),
        ],
        [value("x", own, 2, 5)],
        [value("y", FLOAT, 2, 5), value("same", own, 2, 5)],
        w=numpy.array([0.5], numpy.float32),
    )
    assert agreement(tmp_path, path) == {"y": True, "same": True}


def test_indices_are_those_of_the_table(tmp_path: Path) -> None:
    """ONNX Runtime refuses an index beyond the table's two rows."""
    path = save(
        tmp_path / "net.onnx",
        [helper.make_node("Gather", ["table", "ids"], ["y"])],
        [value("ids", TensorProto.INT64, 1, 64)],
        [value("y", FLOAT, 1, 64, 3)],
        table=GENERATOR.standard_normal((2, 3)).astype(numpy.float32),
    )
    assert agreement(tmp_path, path) == {"y": True}


def test_an_output_of_unknown_size_is_compared_as_it_comes(tmp_path: Path) -> None:
    path = save(
        tmp_path / "net.onnx",
        [
            helper.make_node("Greater", ["x", "zero"], ["positive"]),
            helper.make_node("NonZero", ["positive"], ["where"]),
        ],
        [value("x", FLOAT, 1, 64)],
        [value("where", TensorProto.INT64, 2, "n")],
        zero=numpy.array([0], numpy.float32),
    )
    assert agreement(tmp_path, path) == {"where": True}


def test_positive_values_are_tried_where_others_have_no_result(tmp_path: Path) -> None:
    path = save(
        tmp_path / "net.onnx",
        [helper.make_node("Log", ["x"], ["y"])],
        [value("x", FLOAT, 1, 64)],
        [value("y", FLOAT, 1, 64)],
    )
    assert agreement(tmp_path, path) == {"y": True}


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (helper.make_node("RandomUniformLike", ["x"], ["y"]), "random numbers"),
        (helper.make_node("Sqrt", ["minus"], ["y"]), "no finite values"),
    ],
    ids=["random", "not a number"],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, node: Any, reason: str) -> None:
    path = save(
        tmp_path / "net.onnx",
        [
            helper.make_node("Abs", ["x"], ["size"]),
            helper.make_node("Sub", ["below", "size"], ["minus"]),
            node,
        ],
        [value("x", FLOAT, 1, 64)],
        [value("y", FLOAT, 1, 64)],
        below=numpy.array([-1], numpy.float32),
    )
    found = checked(tmp_path, path, *converted(tmp_path, path))
    assert found.golden is None
    assert reason in found.skipped


def test_a_source_that_its_framework_refuses_is_said(tmp_path: Path) -> None:
    path = two_layers(tmp_path / "net.onnx")
    table, xml = converted(tmp_path, path)
    path.write_bytes(path.read_bytes()[:-20])
    found = checked(tmp_path, path, table, xml)
    assert found.golden is None
    assert found.skipped


def write_dynamic_range(path: Path) -> Path:
    """Write a TFLite layer of int8 weights with float inputs and outputs."""
    weights = GENERATOR.integers(-127, 127, (4, 16), endpoint=True).astype(numpy.int8)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    # With version 3 the kernel takes int8 weights beside float activations.
    code.version = 3
    empty, held = schema.BufferT(), schema.BufferT()
    held.data = weights.tobytes()
    graph = schema.SubGraphT()
    graph.tensors = []
    for name, kind, shape, buffer in (
        ("x", schema.TensorType.FLOAT32, [1, 16], 0),
        ("w", schema.TensorType.INT8, [4, 16], 1),
        ("y", schema.TensorType.FLOAT32, [1, 4], 0),
    ):
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape, tensor.buffer = name, kind, shape, buffer
        if name == "w":
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.01], [0]
        graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators, graph.inputs, graph.outputs = [operator], [0], [2]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers = 3, [code], [empty, held]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def test_activations_that_tflite_rounds_widen_the_bound_and_no_more(tmp_path: Path) -> None:
    path = write_dynamic_range(tmp_path / "net.tflite")
    table, xml = converted(tmp_path, path)
    found = checked(tmp_path, path, table, xml)
    assert found.golden is not None
    assert found.golden.outputs["y"].agrees
    assert found.golden.outputs["y"].distance > 1e-4
    weights = xml.with_suffix(".bin")
    data = weights.read_bytes()
    at = data.index(numpy.array([0.01], numpy.float32).tobytes())
    weights.write_bytes(data[:at] + numpy.array([0.02], numpy.float32).tobytes() + data[at + 4 :])
    (tmp_path / "scratch").rename(tmp_path / "before")
    wrong = checked(tmp_path, path, table, xml)
    assert wrong.golden is not None
    assert not wrong.golden.outputs["y"].agrees
