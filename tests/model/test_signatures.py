"""Of several signatures, the named one is converted, or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import msgspec
import numpy
import openvino
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from pipeline.errors import Code, PipelineError
from pipeline.execution.action import Job
from pipeline.model.convert.make_ir import convert
from pipeline.model.convert.request import Interface
from pipeline.model.convert.signatures import with_signature
from pipeline.protobuf.wire import bytes_field, varint_field
from pipeline.verify.golden import run_reference_executor
from tests.fork_server import wasi_nn

RELU, NEGATE = schema.BuiltinOperator.RELU, schema.BuiltinOperator.NEG


def tflite(signatures: list[str], names: tuple[str, ...] = ("y",)) -> bytes:
    """Return a file whose subgraphs are relu, then negations, each with ``names`` as outputs."""
    codes = []
    for kind in (RELU, NEGATE):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = kind
        code.version = 1
        codes.append(code)
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers = 3, codes, [schema.BufferT()]
    model.subgraphs, model.signatureDefs = [], []
    for index, signature in enumerate(signatures or [""]):
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = [], []
        for place, name in enumerate(("x", *names)):
            tensor = schema.TensorT()
            tensor.name = f"{signature}_{name}" if name else ""
            tensor.type, tensor.buffer, tensor.shape = 0, 0, [1, 4]
            graph.tensors.append(tensor)
            if place:
                operator = schema.OperatorT()
                operator.opcodeIndex, operator.inputs, operator.outputs = (
                    min(index, 1),
                    [0],
                    [place],
                )
                graph.operators.append(operator)
        graph.inputs, graph.outputs = [0], list(range(1, 1 + len(names)))
        model.subgraphs.append(graph)
        if signature:
            entry = schema.SignatureDefT()
            entry.signatureKey, entry.subgraphIndex = signature, index
            entry.inputs, entry.outputs = [], []
            model.signatureDefs.append(entry)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def chosen(folder: Path, data: bytes, signature: str | None) -> bytes:
    (folder / "net.tflite").write_bytes(data)
    files = {"model": folder / "net.tflite"}
    return with_signature("tflite", files, signature, folder)["model"].read_bytes()


def answer(data: bytes) -> Any:
    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], NUMBERS)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).ravel().tolist()


NUMBERS = numpy.array([[-1, 2, -3, 4]], numpy.float32)
POSITIVE, NEGATED = [0, 2, 0, 4], [1, -2, 3, -4]


@pytest.mark.parametrize(
    ("signatures", "wanted", "expected"),
    [
        ([], None, POSITIVE),
        (["only"], None, POSITIVE),
        (["only"], "only", POSITIVE),
        (["enc", "dec"], "enc", POSITIVE),
        (["enc", "dec"], "dec", NEGATED),
        (["enc", "dec", "third"], "third", NEGATED),
        (["train", "serving_default"], None, NEGATED),
        (["serving_default", "train"], None, POSITIVE),
    ],
)
def test_a_tflite_file_begins_with_the_chosen_signature(
    tmp_path: Path, signatures: list[str], wanted: str | None, expected: list[float]
) -> None:
    assert answer(chosen(tmp_path, tflite(signatures), wanted)) == expected


@pytest.mark.parametrize("wanted", [None, "other"])
def test_several_signatures_are_listed(tmp_path: Path, wanted: str | None) -> None:
    with pytest.raises(PipelineError) as caught:
        chosen(tmp_path, tflite(["enc", "dec"]), wanted)
    assert caught.value.code is Code.MODEL
    assert caught.value.found == "enc, dec"


@pytest.mark.parametrize("names", [("same", "same"), ("",), ("y", "")])
def test_an_output_that_openvino_would_drop_is_refused(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(PipelineError) as caught:
        chosen(tmp_path, tflite([], names), None)
    assert "name of their own" in caught.value.message


def test_the_ir_is_that_of_the_named_signature(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(tflite(["enc", "dec"]))
    refused = wasi_nn("convert", "net.tflite", "-o", "out", cwd=tmp_path)
    assert refused.returncode == 1
    assert "enc, dec" in refused.stderr
    for name, expected in (("enc", POSITIVE), ("dec", NEGATED)):
        done = wasi_nn("convert", "net.tflite", "-o", name, "--signature", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        network = openvino.Core().compile_model(tmp_path / name / "net.xml", "CPU")
        assert network(NUMBERS)[0].ravel().tolist() == expected


@pytest.mark.parametrize(("signature", "right"), [("dec", NEGATED), ("enc", POSITIVE)])
def test_the_golden_check_runs_the_same_signature(
    tmp_path: Path, signature: str, right: list[float]
) -> None:
    (tmp_path / "net.tflite").write_bytes(tflite(["enc", "dec"]))
    model = {
        "framework": "tflite",
        "files": {"model": "net"},
        "inputs": {f"{signature}_x": {"shape": [1, 4]}},
        "precision": "f32",
        "signature": signature,
    }
    outputs = {label: tmp_path / f"net.{label}" for label in ("xml", "bin", "interface")}
    parameters = {"name": "net", "seconds": 120, "model": model, "golden": {"executor": "litert"}}
    made, checked = tmp_path / "made", tmp_path / "checked"
    made.mkdir()
    checked.mkdir()
    convert(
        Job(
            inputs={"model": tmp_path / "net.tflite"},
            outputs=outputs,
            parameters=parameters,
            scratch=made,
        )
    )
    interface = msgspec.json.decode(outputs["interface"].read_bytes(), type=Interface)
    assert [port.name for port in interface.outputs] == [f"{signature}_y"]
    job = Job(
        inputs={**outputs, "golden.model": tmp_path / "net.tflite"},
        outputs={},
        parameters=parameters,
        scratch=checked,
    )
    array = numpy.array([right], numpy.float32)
    found, _ = run_reference_executor(
        job, interface, {f"{signature}_x": NUMBERS}, {f"{signature}_y": array}
    )
    assert found.outputs[f"{signature}_y"].agrees


def saved_model(*names: str) -> bytes:
    """Return a SavedModel of one meta graph with these signatures, between other fields."""
    entries = b"".join(
        bytes_field(5, bytes_field(1, name.encode()) + bytes_field(2, b"\x0a\x00" + name.encode()))
        for name in names
    )
    graph = bytes_field(1, b"info") + entries + bytes_field(2, b"graph") + varint_field(9, 7)
    return varint_field(1, 1) + bytes_field(2, graph) + varint_field(8, 3)


def renamed(name: str, *kept: str) -> bytes:
    """Return the same with one signature as the default, and some that are kept."""
    whole = saved_model("A" * 15, *kept)
    value = bytes_field(2, b"\x0a\x00" + name.encode())
    entry = bytes_field(5, bytes_field(1, b"serving_default") + value)
    other = bytes_field(5, bytes_field(1, b"A" * 15) + bytes_field(2, b"\x0a\x00" + b"A" * 15))
    graph = bytes_field(1, b"info") + entry
    graph += b"".join(
        bytes_field(5, bytes_field(1, each.encode()) + bytes_field(2, b"\x0a\x00" + each.encode()))
        for each in kept
    )
    graph += bytes_field(2, b"graph") + varint_field(9, 7)
    assert other in whole
    return varint_field(1, 1) + bytes_field(2, graph) + varint_field(8, 3)


INTERNAL, DEFAULT = "__saved_model_init_op", "serving_default"


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (["enc"], None, saved_model("enc")),
        (["serving_default", "train"], None, saved_model("serving_default", "train")),
        (
            ["serving_default", INTERNAL],
            "serving_default",
            saved_model("serving_default", INTERNAL),
        ),
        (["enc", "dec"], "dec", renamed("dec")),
        (["enc", "dec", INTERNAL], "enc", renamed("enc", INTERNAL)),
        (["serving_default", "train"], "train", renamed("train")),
    ],
)
def test_a_saved_model_keeps_the_chosen_signature_as_its_default(
    tmp_path: Path, names: list[str], wanted: str | None, expected: bytes
) -> None:
    (tmp_path / "saved_model.pb").write_bytes(saved_model(*names))
    files = {"saved_model.pb": tmp_path / "saved_model.pb"}
    made = with_signature("tensorflow", files, wanted, tmp_path)["saved_model.pb"]
    assert made.read_bytes() == expected
    assert (tmp_path / "saved_model.pb").read_bytes() == saved_model(*names)


def test_signatures_of_a_saved_model_are_listed(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(saved_model("enc", "dec", INTERNAL))
    files = {"saved_model.pb": tmp_path / "saved_model.pb"}
    with pytest.raises(PipelineError) as caught:
        with_signature("tensorflow", files, None, tmp_path)
    assert caught.value.found == "enc, dec"


def test_other_frameworks_and_damaged_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(tflite(["enc", "dec"])[:40])
    files = {"model": tmp_path / "net"}
    assert with_signature("onnx", files, None, tmp_path) is files
    assert with_signature("tflite", files, None, tmp_path) is files
